// What a guest has handles on.

/** Something that a guest has a handle on. Its session closes it in the end, if the guest has not dropped it. */
export class Resource {
  constructor(session) {
    this.session = session;
    session.own(this);
  }

  /** The guest has dropped it. */
  [Symbol.dispose]() {
    this.session.disown(this);
    this.close();
  }

  /** Nobody wants it any more. */
  close() {}
}

/** Why a call did not do what it was to do: the error of its `result` in the WIT. */
export class Refused extends Error {
  constructor(payload) {
    super(typeof payload === "string" ? payload : payload.tag);
    this.payload = payload;
  }
}
