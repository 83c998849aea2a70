import { StoreError } from './errors.ts';
import type { Draft } from './synchronizer/draft.ts';

/**
 * Bytes of the store itself, lent to be filled in place. After `commit` or `abort` the array is a private copy: writing
 * goes on to work and reaches nobody.
 */
export class Loan extends Uint8Array<ArrayBuffer> {
  #draft: Draft | undefined;

  /** What `subarray`, `slice` and `map` of a loan make is no loan. */
  static get [Symbol.species](): Uint8ArrayConstructor {
    return Uint8Array;
  }

  /** @internal */
  static over(buffer: ArrayBuffer, draft: Draft): Loan {
    const loan = new Loan(buffer);
    loan.#draft = draft;
    forgottenLoans.register(loan, draft, loan);
    return loan;
  }

  /** The same bytes as a plain Uint8Array, for who insists on one. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.buffer);
  }

  /**
   * Publishes the bytes as they are now; reads that still fill them end in the private copy.
   *
   * @returns the publish number
   * @throws {StoreError} `LOAN_INVALID` after `commit` or `abort`; `CLOSED`; `STORE_LOST`
   */
  commit(): number {
    return this.#end().commitLent();
  }

  /**
   * Publishes nothing.
   *
   * @throws {StoreError} `LOAN_INVALID` after `commit` or `abort`
   */
  abort(): void {
    this.#end().abort();
  }

  /** Aborts, unless it was committed. */
  [Symbol.dispose](): void {
    if (this.#draft !== undefined) this.#end().abort();
  }

  #end(): Draft {
    const draft = this.#draft;
    if (draft === undefined) {
      throw new StoreError(
        'LOAN_INVALID',
        'this loan was committed or aborted before: ask the writer for another one',
      );
    }
    this.#draft = undefined;
    forgottenLoans.unregister(this);
    return draft;
  }
}

/** A loan that nobody can end any more would keep its slot for ever. */
const forgottenLoans = new FinalizationRegistry<Draft>((draft) => {
  try {
    draft.abort();
  } catch {
    // Out of mappings, say. Nobody can write to the array any more, and there is nobody to tell: the region is replaced
    // instead of rewritten.
  }
});
