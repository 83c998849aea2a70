export { column, forEachInColumn } from './columns.ts';
export { createObjectsCodec } from './objects-codec.ts';
export { type Mutable, toPlain } from './plain.ts';
export { validate } from './validate.ts';
export type { View } from './view.ts';
