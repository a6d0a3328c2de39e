/** Ends connections whose clients give or take so little that they only hold a place. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { SEND_STEP_BYTES } from './send-file.js';

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Bytes seen at the last look. */
  received: number;
  sent: number;
  /** Since when the server waits for this client, in milliseconds. */
  waitedFor: { milliseconds: number; bytes: number };
  unsent: number;
}

export class TransferGuard {
  readonly #exchanges = new Set<Exchange>();
  readonly #timer: NodeJS.Timeout;
  readonly #tick: number;

  /** @param minRate bytes a second @param seconds over which the rate is measured */
  constructor(
    readonly minRate: number,
    readonly seconds: number,
    readonly cut: () => void,
  ) {
    this.#tick = Math.min(1000, seconds * 250);
    this.#timer = setInterval(() => this.#look(), this.#tick).unref();
  }

  watch(request: IncomingMessage, response: ServerResponse): void {
    const exchange = { request, response, received: request.socket.bytesRead, sent: request.socket.bytesWritten, waitedFor: { milliseconds: 0, bytes: 0 }, unsent: 0 };
    this.#exchanges.add(exchange);
    response.once('close', () => this.#exchanges.delete(exchange));
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    for (const exchange of this.#exchanges) {
      if (!this.#givesTooLittle(exchange) && !this.#takesTooLittle(exchange)) continue;
      this.cut();
      exchange.request.socket.destroy();
    }
  }

  #givesTooLittle(exchange: Exchange): boolean {
    const { request, waitedFor } = exchange;
    const bytes = request.socket.bytesRead - exchange.received;
    exchange.received += bytes;
    // What has come and is not read yet waits for the server, not the client.
    if (request.complete || request.readableLength > 0) return false;
    waitedFor.milliseconds += this.#tick;
    waitedFor.bytes += bytes;
    if (waitedFor.milliseconds < this.seconds * 1000) return false;
    const tooLittle = waitedFor.bytes < this.minRate * this.seconds;
    exchange.waitedFor = { milliseconds: 0, bytes: 0 };
    return tooLittle;
  }

  /** The system tells only of whole pieces that they have been sent. */
  #takesTooLittle(exchange: Exchange): boolean {
    const { bytesWritten } = exchange.request.socket;
    const moved = bytesWritten !== exchange.sent || exchange.response.writableLength === 0;
    exchange.sent = bytesWritten;
    exchange.unsent = moved ? 0 : exchange.unsent + this.#tick;
    return exchange.unsent > (this.seconds + SEND_STEP_BYTES / this.minRate) * 1000;
  }
}
