/**
 * A hook for React: the newest events of a stream, and whether it is connected. A component that is
 * mounted again, as by `StrictMode` or `Activity`, resumes where it was.
 *
 * ```tsx ignore
 * function Clock() {
 *   const { state, events } = useEventStream("/clock");
 *   return <output className={state}>{events.at(-1)?.data}</output>;
 * }
 * ```
 *
 * @module
 */

import { connect } from "@webstreams/sse/client";
import type { ServerSentEvent } from "@webstreams/sse/parse";
// @ts-types="@types/react"
import { useMemo, useSyncExternalStore } from "react";

/** What a component sees of a stream. */
export interface EventStreamView {
  readonly state: "connecting" | "open" | "closed";
  readonly events: readonly ServerSentEvent[];
  /** Why nothing more will come, if that is an error. */
  readonly error?: unknown;
}

/** The stream at `url`: its newest `keep` events. */
export function useEventStream(url: string, keep = 100): EventStreamView {
  const store = useMemo(() => eventStore(url, keep), [url, keep]);
  return useSyncExternalStore(store.subscribe, store.view, store.view);
}

function eventStore(url: string, keep: number) {
  let view: EventStreamView = { state: "connecting", events: [] };
  let lastEventId = "";
  return {
    view: () => view,
    subscribe(changed: () => void): () => void {
      const change = (to: Partial<EventStreamView>) => {
        view = { ...view, ...to };
        changed();
      };
      const connection = connect(url, {
        lastEventId,
        onState({ state }) {
          if (state !== "comment") change({ state: state === "retry" ? "connecting" : state });
        },
      });
      const read = async () => {
        for await (const events of connection.batches()) {
          change({ events: [...view.events, ...events].slice(-keep) });
        }
      };
      read().catch((error) => change({ error }));
      return () => {
        lastEventId = connection.lastEventId;
        connection.close();
      };
    },
  };
}
