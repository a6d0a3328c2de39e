/** What a server says while it runs, line by line. */
export interface Logger {
  /** What an operator should look at. */
  warn(message: string): void;
}
