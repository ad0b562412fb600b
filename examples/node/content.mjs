// The octets of files, in memory.

/** Octets, in pieces of one size but for the last. They only ever grow: a file that is cut becomes another. */
export class Content {
  #pieces = [];
  size = 0;

  /** The first octets of another. */
  static of(other, size) {
    const content = new Content();
    content.#pieces = other.#pieces.slice(0, Math.floor(size / PIECE));
    content.size = content.#pieces.length * PIECE;
    content.append(other.read(content.size, size - content.size));
    return content;
  }

  append(octets) {
    let rest = octets;
    while (rest.length > 0) {
      const used = this.size % PIECE;
      // A copy: what is being sent of the old one stays as it is.
      const last = used === 0 ? Buffer.alloc(0) : this.#pieces.pop();
      const part = rest.subarray(0, PIECE - used);
      this.#pieces.push(Buffer.concat([last, part]));
      this.size += part.length;
      rest = rest.subarray(part.length);
    }
  }

  /** At most `length` octets from `offset`; none at the end. */
  read(offset, length) {
    const piece = this.#pieces[Math.floor(offset / PIECE)] ?? Buffer.alloc(0);
    return piece.subarray(offset % PIECE, (offset % PIECE) + length);
  }
}

/** Octets. */
const PIECE = 64 * 1024;
