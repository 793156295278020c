/**
 * A certificate for servers on 127.0.0.1, made by openssl.
 *
 * @module
 */

/** A certificate that signs itself, and its key. */
export interface Certificate extends AsyncDisposable {
  /** Where the certificate is. */
  readonly path: string;
  /** The certificate, as PEM. */
  readonly cert: string;
  /** Its key, as PEM. */
  readonly key: string;
}

/** Makes one, in a folder that goes with the block. */
export async function certificate(): Promise<Certificate> {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/cert.pem`;
  const args = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  args.push("-keyout", `${folder}/key.pem`, "-out", path, "-days", "2", "-subj", "/CN=127.0.0.1");
  args.push(
    "-addext",
    "subjectAltName=IP:127.0.0.1",
    "-addext",
    "basicConstraints=critical,CA:FALSE",
  );
  const { success, stderr } = await new Deno.Command("openssl", { args }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return {
    path,
    cert: await Deno.readTextFile(path),
    key: await Deno.readTextFile(`${folder}/key.pem`),
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}
