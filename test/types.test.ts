import { describe, expectTypeOf, it } from 'vitest';
import {
  bytesCodec,
  type Codec,
  type Loan,
  msgpackCodec,
  openReader,
  openWriter,
  type Reader,
  type ReaderOptions,
  type Snapshot,
  StoreError,
  type StoreErrorCode,
  verify,
  type Writer,
  type WriterOptions,
} from '../src/index.ts';

interface Flags {
  readonly beta: boolean;
}

// Compared by the compiler (npm run check); nothing here runs.
describe('the types of the public surface', () => {
  it('carry the value from writer to reader', () => {
    expectTypeOf(openWriter<Flags>).returns.toEqualTypeOf<Writer<Flags>>();
    expectTypeOf(openReader<Flags>).returns.toEqualTypeOf<Reader<Flags>>();
    expectTypeOf(openWriter).returns.toEqualTypeOf<Writer<unknown>>();
    expectTypeOf<Writer<Flags>['publish']>().toEqualTypeOf<(value: Flags) => number>();
    expectTypeOf<Reader<Flags>['current']>().toEqualTypeOf<() => Flags>();
    expectTypeOf<Reader<Flags>['snapshot']>().toEqualTypeOf<() => Snapshot<Flags>>();
    expectTypeOf<Snapshot<Flags>['value']>().toEqualTypeOf<Flags>();
  });

  it("take the value from a codec of one's own", () => {
    const codec = {} as Codec<Flags, Flags>;
    const open = () => openWriter('a', { codec });
    expectTypeOf(open).returns.toEqualTypeOf<Writer<Flags>>();
    expectTypeOf<Codec<Flags>>().toExtend<NonNullable<WriterOptions<Flags>['codec']>>();
    expectTypeOf<'bytes' | 'msgpack' | 'objects'>().toExtend<NonNullable<WriterOptions['codec']>>();
    expectTypeOf<'json'>().not.toExtend<NonNullable<WriterOptions['codec']>>();
    expectTypeOf(bytesCodec).toExtend<Codec<Uint8Array, Uint8Array>>();
    expectTypeOf(msgpackCodec).toEqualTypeOf<Codec>();
  });

  it('let nothing be written to', () => {
    // @ts-expect-error read-only
    const setVersion = (writer: Writer<Flags>) => (writer.version = 1);
    // @ts-expect-error read-only
    const setValue = (snapshot: Snapshot<Flags>) => (snapshot.value = { beta: true });
    // @ts-expect-error read-only
    const setSlots = (options: WriterOptions) => (options.slots = 3);
    expectTypeOf([setVersion, setValue, setSlots]).not.toBeAny();
  });

  it('close with `using`, and lend bytes', () => {
    expectTypeOf<Writer<Flags>>().toExtend<Disposable>();
    expectTypeOf<Reader<Flags>>().toExtend<Disposable>();
    expectTypeOf<Snapshot<Flags>>().toExtend<Disposable>();
    expectTypeOf<Loan>().toExtend<Disposable & Uint8Array<ArrayBuffer>>();
    expectTypeOf<Writer<Uint8Array>['loan']>().returns.toEqualTypeOf<Loan>();
    expectTypeOf<Loan['commit']>().toEqualTypeOf<() => number>();
    expectTypeOf<Snapshot<Flags>['release']>()
      .parameter(0)
      .toEqualTypeOf<{ readonly detach?: boolean } | undefined>();
  });

  it('name every error in a closed union', () => {
    expectTypeOf<StoreError['code']>().toEqualTypeOf<StoreErrorCode>();
    expectTypeOf<string>().not.toExtend<StoreErrorCode>();
    expectTypeOf(new StoreError('CLOSED', '').pid).toEqualTypeOf<number | undefined>();
    // @ts-expect-error no such code
    const unknown = () => new StoreError('OOPS', '');
    expectTypeOf(unknown).returns.toEqualTypeOf<StoreError>();
  });

  it('take options that are checked', () => {
    // @ts-expect-error no such option
    const misspelt = (): ReaderOptions => ({ codec: 'bytes' });
    // @ts-expect-error slots is a number
    const wrong = (): WriterOptions => ({ slots: '8' });
    expectTypeOf([misspelt, wrong]).not.toBeAny();
    expectTypeOf(verify).parameter(1).toEqualTypeOf<Pick<ReaderOptions, 'codecs'> | undefined>();
  });
});
