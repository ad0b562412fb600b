// Addresses, of Node's and of the WIT's.

import { isIPv6 } from "node:net";

/** The guest's form of an address; an IPv4-mapped one as what it is. */
export function toWit({ address, port }) {
  const host = canonical(address);
  if (!isIPv6(host)) return { ip: { tag: "ipv4", val: host.split(".").map(Number) }, port };
  // The URL parser knows the one way to write it, from which `::` is all that is left to be undone.
  const text = new URL(`http://[${host.split("%")[0]}]`).hostname.slice(1, -1);
  const [front, back] = text.split("::").map((half) => half.split(":").filter(Boolean));
  const gap = back ? Array(8 - front.length - back.length).fill("0") : [];
  const groups = [...front, ...gap, ...(back ?? [])];
  return { ip: { tag: "ipv6", val: groups.map((group) => parseInt(group, 16)) }, port };
}

/** Whether the guest means that address. */
export function isAddress(ip, address) {
  const { ip: other } = toWit({ address, port: 0 });
  return ip.tag === other.tag && ip.val.join() === other.val.join();
}

/** Whether two addresses of Node's are one. */
export function same(one, other) {
  return canonical(one) === canonical(other);
}

function canonical(address) {
  return address.replace(/^::ffff:(?=\d+\.)/i, "");
}
