/** Tells what can be the e-mail address of an account that tokens are made for. */

/** Visible ASCII around one `@`. No comma, which is between two of them in a setting. */
export const ACCOUNT_ADDRESS = /^[\x21-\x2b\x2d-\x3f\x41-\x7e]+@[\x21-\x2b\x2d-\x3f\x41-\x7e]+$/;
