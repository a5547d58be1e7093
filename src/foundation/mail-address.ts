/** Tells what is one plain e-mail address: no name, no list, nothing that could become a header. */

const LOCAL_PART = /^[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*$/;
const DOMAIN = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$/i;

export const MAIL_ADDRESS_EXPECTED = "an e-mail address such as 'ada@example.com'";

/** RFC 5321, without quoted local parts and address literals; in ASCII, so domains as punycode. */
export function isMailAddress(text: string): boolean {
  const at = text.lastIndexOf('@');
  const local = text.slice(0, Math.max(at, 0));
  const domain = text.slice(at + 1);
  return (
    local.length <= 64 &&
    domain.length <= 253 &&
    LOCAL_PART.test(local) &&
    (DOMAIN.test(domain) || domain === 'localhost')
  );
}
