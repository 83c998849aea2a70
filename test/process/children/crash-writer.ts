// Publishes stamped payloads without end, to be killed while it does.
import { openWriter, type Writer } from '../../../src/index.ts';
import { given, serve } from '../../support/child.ts';
import { stamped } from '../../support/payload.ts';

const { prefix } = given<{ prefix: string }>();
let writer: Writer<Uint8Array>;

serve({
  open(): { version: number } {
    writer = openWriter(prefix, { codec: 'bytes' });
    return { version: writer.version };
  },
  run(): never {
    for (let number = writer.version + 1; ; number = writer.version + 1) {
      // Some in place, some by replacement, most of the time inside a publish.
      writer.publish(stamped(number, number % 5 === 0 ? 2 ** 20 : 8 + ((number * 7919) % 200_000)));
    }
  },
});
