// A worker thread of threads.ts: holds, adopts without end, publishes without end. Counts its steps where its parent can
// see them, because most of these roles never yield.
import { parentPort, workerData } from 'node:worker_threads';
import { openReader, openWriter, type Snapshot, StoreError } from '../../../src/index.ts';
import { isPayload, payload, stamped, stampOf } from '../../support/payload.ts';

const { prefix, role, byteLength, steps } = workerData as {
  prefix: string;
  role: string;
  byteLength: number;
  steps: Int32Array;
};
const step = () => Atomics.add(steps, 0, 1);
const kept: unknown[] = [];

switch (role) {
  case 'hold': {
    // A raw window, two handles, and one version that `current()` gave out.
    const reader = openReader<Uint8Array>(prefix);
    const snapshot = reader.snapshot();
    kept.push(reader, snapshot, reader.snapshot(), snapshot.value, reader.current());
    step();
    // Keeps the thread.
    parentPort!.on('message', () => kept.push(isPayload(snapshot.value, snapshot.version)));
    break;
  }
  case 'adopt': {
    const reader = openReader<Uint8Array>(prefix);
    const held: Snapshot<Uint8Array>[] = [];
    for (let version = 0; ; ) {
      const snapshot = reader.snapshot();
      if (snapshot.version === version) {
        snapshot.release();
        continue;
      }
      version = snapshot.version;
      stampOf(snapshot.value);
      held.push(snapshot);
      if (held.length > 3) held.shift()?.release();
      step();
    }
  }
  case 'publish': {
    const writer = openWriter<Uint8Array>(prefix, { codec: 'bytes' });
    for (;;) {
      writer.publish(stamped(writer.version + 1, byteLength));
      step();
    }
  }
  case 'tryWriter': {
    try {
      const writer = openWriter<Uint8Array>(prefix, { codec: 'bytes' });
      kept.push(writer);
      writer.publish(payload(writer.version + 1, byteLength));
      parentPort!.postMessage({ version: writer.version });
      parentPort!.on('message', () => {
        writer.close();
        parentPort!.close();
      });
    } catch (error) {
      const { code, pid } = error as StoreError;
      parentPort!.postMessage({ code, pid });
    }
    break;
  }
  case 'read': {
    // Until it has seen so many versions grow, each whole.
    const reader = openReader<Uint8Array>(prefix);
    let last = 0;
    for (let versions = 0; versions < 200; ) {
      try {
        const stamp = stampOf(reader.current());
        if (stamp < last) throw new Error(`went back from ${last} to ${stamp}`);
        if (stamp > last) versions += 1;
        last = stamp;
      } catch (error) {
        if (!(error instanceof StoreError && error.code === 'NOT_PUBLISHED')) throw error;
      }
      step();
    }
    parentPort!.postMessage({ last });
    break;
  }
  default:
    throw new Error(`no role ${role}`);
}
