/** vitrine: one process publishes an object, every other one reads the newest version from shared memory. */
export { bytesCodec } from './codec/bytes.ts';
export type { Codec, DecodeOptions, DecodeSource, EncodeTarget } from './codec/codec.ts';
export { msgpackCodec } from './codec/msgpack.ts';
export { column, forEachInColumn, type Mutable, toPlain, type View } from './codec/objects/index.ts';
export { StoreError, type StoreErrorCode, type StoreErrorDetails } from './errors.ts';
export type { Loan } from './loan.ts';
export type { Snapshot } from './snapshot.ts';
export {
  openReader,
  openWriter,
  type Reader,
  type ReaderOptions,
  type ReaderStats,
  type Verified,
  verify,
  type Writer,
  type WriterOptions,
  type WriterStats,
} from './store.ts';
