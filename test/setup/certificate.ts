import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { programOf } from './parts.ts';

export type Certificate = { readonly key: Buffer; readonly cert: Buffer; readonly certFile: string };

/** A certificate for `localhost`, or these hosts, that nobody vouches for but itself, valid for a day. */
export function makeCertificate(folder: string, hosts: readonly string[] = ['localhost']): Certificate {
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const named = `subjectAltName=${hosts.map((host) => `DNS:${host}`).join(',')}`;
  const names = ['-subj', '/CN=localhost', '-addext', named];
  const fresh = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'];
  const args = ['req', '-x509', ...fresh, ...names, '-keyout', keyFile, '-out', certFile];
  execFileSync(programOf('openssl'), args, { stdio: 'ignore' });
  return { key: readFileSync(keyFile), cert: readFileSync(certFile), certFile };
}
