/**
 * What the TransformStreams of the parser share.
 *
 * @module
 */

/**
 * Enqueues what `parse` appends to `output`. An error drops what a stream has queued, so one waits
 * until the output before it was read: the next chunk, or the end, comes no earlier.
 */
export function transformer<I, O>(parse: (chunk: I, output: O[]) => void): Transformer<I, O> {
  let failure: { error: unknown } | undefined;
  const fail = () => {
    if (failure !== undefined) throw failure.error;
  };
  return {
    transform(chunk, controller) {
      fail();
      const output: O[] = [];
      try {
        parse(chunk, output);
      } catch (error) {
        failure = { error };
      }
      for (const item of output) controller.enqueue(item);
      if (output.length === 0) fail();
    },
    flush: fail,
  };
}
