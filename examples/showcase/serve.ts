/** What a child process does on request. The channel carries requests and measurements, never the data itself. */
// biome-ignore lint/suspicious/noExplicitAny: any arguments, which `typeof commands` then makes exact for the caller
export type Commands = Record<string, (...args: any[]) => unknown>;

export interface Request {
  readonly id: number;
  readonly name: string;
  readonly args: unknown[];
}

export type Reply =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: string };

/** Answers the requests of the parent process until that ends. */
export function serve(commands: Commands, atEnd: () => void): void {
  // Ctrl-C goes to every process of the terminal: the parent decides, and disconnects.
  process.on('SIGINT', () => {});
  process.on('disconnect', () => {
    atEnd();
    process.exit();
  });
  process.on('message', async ({ id, name, args }: Request) => {
    let reply: Reply;
    try {
      reply = { id, result: await commands[name]!(...args) };
    } catch (error) {
      reply = { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
    // Where nobody listens any more 'disconnect' comes next.
    process.send!(reply, () => {});
  });
}
