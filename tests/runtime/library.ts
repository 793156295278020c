/**
 * The public names, by the specifiers that users write: the sources here, the packed package where it
 * is installed.
 *
 * @module
 */

export * as library from "@webstreams/sse";
export * as testing from "@webstreams/sse/testing";
