// Waits for a new version in a loop that never yields, in six shapes that a compiler treats differently: none may take
// the load of the sequence word out of the loop.
import { openReader, type Reader } from '../../../src/index.ts';
import { given, run, tell } from '../../support/child.ts';

interface Value {
  readonly n: number;
}

const { prefix, shape } = given<{ prefix: string; shape: string }>();
const reader = openReader<Value>(prefix);
const holder = { inner: { reader } };

let rounds = 0;

const isStill = (candidate: Reader<Value>, first: Value) => candidate.current() === first;

const shapes: Record<string, () => Value> = {
  while() {
    const first = reader.current();
    while (reader.current() === first) {}
    return reader.current();
  },
  for() {
    const first = reader.current();
    let now = first;
    for (; now === first; rounds += 1) now = reader.current();
    return now;
  },
  'do-while'() {
    const first = reader.current();
    let now: Value;
    do {
      now = reader.current();
    } while (now === first);
    return now;
  },
  'an inlined function'() {
    const first = reader.current();
    while (isStill(reader, first)) {}
    return reader.current();
  },
  'a captured constant'() {
    const captured = reader;
    const first = captured.current();
    const isSame = () => captured.current() === first;
    while (isSame()) {}
    return captured.current();
  },
  'a property of an object'() {
    const first = holder.inner.reader.current();
    while (holder.inner.reader.current() === first) {}
    return holder.inner.reader.current();
  },
};

run(() => {
  tell('looping', { n: reader.current().n });
  const { n } = shapes[shape]!();
  tell('saw', { n, rounds });
  process.exit();
});
