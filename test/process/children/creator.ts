// Creates a store, publishes, destroys it, and so on without end, to be killed in between. Another one may be at it too.
import { openWriter, StoreError } from '../../../src/index.ts';
import { given, serve, tell } from '../../support/child.ts';

const { prefix } = given<{ prefix: string }>();

serve({
  create(): never {
    for (;;) {
      try {
        const writer = openWriter<Uint8Array>(prefix, { codec: 'bytes' });
        writer.publish(new Uint8Array(100));
        writer.destroy();
        tell('created');
      } catch (error) {
        if (!(error instanceof StoreError && error.code === 'WRITER_EXISTS')) {
          tell('failed', { error: String(error) });
          throw error;
        }
      }
    }
  },
});
