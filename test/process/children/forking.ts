// Publishes, holds what it has published, and forks itself: the forked process reads the same store.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { openReader, openWriter } from '../../../src/index.ts';
import { given, run, tell } from '../../support/child.ts';
import { pinCount } from '../../support/inspect.ts';
import { isPayload, payload } from '../../support/payload.ts';

const { prefix } = given<{ prefix: string }>();
const isForked = process.argv[3] === 'forked';

run(async () => {
  if (isForked) {
    const reader = openReader<Uint8Array>(prefix);
    process.send!({ isWhole: isPayload(reader.current(), 1), pins: pinCount(prefix) });
    const [message] = await once(process, 'message');
    process.send!({ message, isWhole: isPayload(reader.current(), 2) });
    process.disconnect();
    return;
  }
  using writer = openWriter<Uint8Array>(prefix, { codec: 'bytes' });
  using reader = openReader<Uint8Array>(prefix);
  writer.publish(payload(1, 64 * 1024));
  const snapshot = reader.snapshot();
  const forked = fork(process.argv[1]!, [process.argv[2]!, 'forked']);
  const [first] = await once(forked, 'message');
  writer.publish(payload(2, 64 * 1024));
  forked.send('published');
  const [second] = await once(forked, 'message');
  const [code] = await once(forked, 'exit');
  tell('forked', { first, second, code, pins: pinCount(prefix), isWhole: isPayload(snapshot.value, 1) });
  process.disconnect();
});
