export { createObjectsCodec } from './objects-codec.ts';
export { type Mutable, toPlain } from './plain.ts';
