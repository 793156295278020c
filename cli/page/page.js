/**
 * The live page: what comes from the server goes to those who show it.
 *
 * @module
 */

import { Chart } from "./chart.js";
import { ConnectionPanel } from "./connection.js";
import { byId, onceAFrame, setText } from "./dom.js";
import { EventList } from "./events.js";
import { Figures } from "./figures.js";
import { decimal, duration } from "./format.js";
import { listenToKeys } from "./keys.js";
import { PublishForm } from "./publish.js";
import { Rate, Samples } from "./samples.js";
import { StatusFeed } from "./status.js";
import { LiveStream } from "./stream.js";
import { Token } from "./token.js";
import { TopicPanel } from "./topics.js";

/** @typedef {import("./stream.js").Entered} Entered */

const announcement = byId("announcement", HTMLParagraphElement);
const announce = (/** @type {string} */ text) => setText(announcement, text);

// The address may name a token, which does not stay there, and topics, which do.
const address = new URLSearchParams(location.hash.slice(1));
const token = new Token(() => {
  status.start();
  stream.connectNow();
});
const given = address.get("token");
if (given !== null) token.set(given);
let followed = address.getAll("topic");
writeAddress();

const headers = () => token.headers();
const list = new EventList(announce);
const stream = new LiveStream({ headers, onChange, onEvents });
const panel = new ConnectionPanel(stream, announce);
const showConnection = onceAFrame(() => panel.show());
const form = new PublishForm(headers, () => token.ask());
const figures = new Figures();
const topics = new TopicPanel(followed, (chosen) => {
  followed = chosen;
  writeAddress();
  stream.open(followed);
});

const received = new Samples();
const published = new Samples();
const latency = new Samples();
const arrival = new Rate();
let arrived = 0;

const rateChart = new Chart(byId("rate-chart", HTMLElement), {
  title: "Rate",
  format: (value) => `${decimal(value)}/s`,
  least: 1,
}, [
  { name: "received", samples: received, kind: "main" },
  { name: "published", samples: published, kind: "other" },
]);
const latencyChart = new Chart(byId("latency-chart", HTMLElement), {
  title: "Latency",
  format: duration,
  least: 1,
}, [{ name: "there and back", samples: latency, kind: "main" }]);

const status = new StatusFeed({
  headers,
  onStatus(news) {
    figures.show(news);
    panel.topicCount = news.topicCount;
    topics.show(news.topics, news.topicCount);
    if (news.topics.length > 0) form.suggest(news.topics[0].topic);
  },
  onLatency: (ms) => latency.add(performance.now(), ms),
  onStale: (reason) => figures.showStale(reason),
  onUnauthorized: () => token.ask(),
});

function onChange() {
  if (stream.state.unauthorized) token.ask();
  showConnection();
}

/** @param {Entered[]} events */
function onEvents(events) {
  const at = Date.now();
  // One that came twice is counted, and not shown again.
  const news = events.filter(({ entry }) => entry.kind !== "repeat");
  arrived += news.length;
  list.add(news.map(({ event, entry: { move, kind } }) => ({
    at,
    topic: move?.topic ?? "",
    type: event.event,
    seq: move?.seq,
    id: move?.id ?? event.id,
    lastEventId: event.id,
    data: event.data,
    kind: kind === "gap" ? "gap" : "event",
    size: event.data.length + event.id.length + 200,
  })));
  showConnection();
}

function tick() {
  const now = performance.now();
  const rate = arrival.next(now, arrived);
  if (rate !== undefined) received.add(now, rate);
  if (figures.rate !== undefined) published.add(now, figures.rate);
  if (document.hidden) return;
  status.ping();
  rateChart.draw(now);
  latencyChart.draw(now);
}

function writeAddress() {
  const query = followed.map((topic) => `topic=${encodeURIComponent(topic)}`).join("&");
  history.replaceState(null, "", `${location.pathname}${location.search}${query && `#${query}`}`);
}

listenToKeys({
  " ": () => list.togglePause(),
  "/": () => list.search(),
  c: () => panel.cutOrConnect(),
  p: () => form.focus(),
});

// A phone has no room for all at once.
if (matchMedia("(max-width: 50rem)").matches) {
  for (const id of ["topics", "publish"]) byId(id, HTMLDetailsElement).open = false;
}
setText(byId("host", HTMLParagraphElement), location.host);
setInterval(tick, 1_000);
// The wait for the next attempt is counted down.
setInterval(() => {
  if (stream.state.phase === "waiting") showConnection();
}, 100);
// Nobody looks: the figures can wait, for a browser opens six connections to a server at most, of
// all its tabs. The events go on.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) status.stop();
  else status.start();
});
tick();
status.start();
stream.open(followed);
