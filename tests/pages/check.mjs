// Opens each page of a folder in Chromium and says what is wrong with it.
//
//   node check.mjs FOLDER [SCREENSHOTS]
import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join, resolve } from 'node:path';

const require = createRequire(`${process.env.PAGES_MODULES}/package.json`);
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const WIDTHS = [360, 768, 1280, 1920];
/** A4 less Chromium's margins, in CSS pixels. */
const PAPER = 718;
const [folder, screenshots] = process.argv.slice(2);
if (screenshots) mkdirSync(screenshots, { recursive: true });

const counts = { pages: 0, views: 0, checks: 0, rules: 0 };
const failures = [];
let where = '';

function expect(holds, what) {
  counts.checks += 1;
  if (!holds) failures.push(`${where}: ${what}`);
}

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** A page in a context of its own; whatever it does beside showing itself is a failure. */
async function open(browser, file, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const address = `file://${file}`;
  await context.addInitScript(() => {
    globalThis.violations = [];
    document.addEventListener('securitypolicyviolation', (event) => {
      globalThis.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
    });
  });
  const page = await context.newPage();
  context.on('request', (request) => expect(request.url() === address, `requests ${request.url()}`));
  page.on('console', (message) => expect(false, `console: ${message.text()}`));
  page.on('pageerror', (error) => expect(false, `error: ${error.message}`));
  page.on('popup', () => expect(false, 'a window opened'));
  page.on('download', () => expect(false, 'a download began'));
  page.on('dialog', (dialog) => {
    expect(false, `dialog: ${dialog.message()}`);
    return dialog.dismiss();
  });
  await page.goto(address);
  return page;
}

/** Nothing of the mail is markup, and nothing of it ran. */
async function harmless(page) {
  const found = await page.evaluate(() => {
    const known = new Set(
      `html head meta title style body header h1 h2 h3 p nav a main section strong ul li br code div table caption thead tbody
       tr th td figure figcaption svg rect text script button label input span`.split(/\s+/),
    );
    const strange = new Set();
    for (const element of document.querySelectorAll('*')) {
      const name = element.localName;
      if (!known.has(name)) strange.add(`<${name}>`);
      for (const { name: attribute, value } of element.attributes) {
        if (/^on|^style$|^src$|^action$/.test(attribute)) strange.add(`${name} ${attribute}=${value}`);
        if (attribute === 'href' && !value.startsWith('#')) strange.add(`${name} href=${value}`);
      }
    }
    // The characters that Unicode calls Bidi_Control, and controls.
    const obeyed = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u;
    return {
      strange: [...strange],
      ran: 'ran' in globalThis,
      violations: globalThis.violations ?? [],
      obeyed: obeyed.exec(document.documentElement.textContent)?.[0]?.codePointAt(0),
      scripts: document.scripts.length,
      broken: [...document.querySelectorAll('a')].filter((link) => !document.getElementById(link.hash.slice(1))).length,
    };
  });
  expect(found.strange.length === 0, `markup that is not ours: ${found.strange.join(', ')}`);
  expect(!found.ran, 'a script of the mail ran');
  expect(found.violations.length === 0, `policy: ${found.violations.join(', ')}`);
  expect(found.obeyed === undefined, `a character that is obeyed: U+${found.obeyed?.toString(16)}`);
  expect(found.scripts === 1, `${found.scripts} scripts`);
  expect(found.broken === 0, `${found.broken} links of the page that lead nowhere`);
}

/** The page is no wider than the window, and what is wider within it can be scrolled. */
async function fits(page, width, printed) {
  const wide = await page.evaluate((printed) => {
    const root = document.documentElement;
    const over = [];
    if (root.scrollWidth > root.clientWidth) over.push(`the page is ${root.scrollWidth} wide`);
    for (const element of document.querySelectorAll('body *')) {
      if (element.closest('.scroll') && (!printed || element.closest('.scroll') === element)) continue;
      const box = element.getBoundingClientRect();
      if (box.width > 0 && (box.right > root.clientWidth + 1 || box.left < -1)) {
        over.push(`<${element.localName}> ${element.textContent.slice(0, 40)} ends at ${Math.round(box.right)}`);
      }
    }
    return over.slice(0, 3);
  }, printed);
  expect(wide.length === 0, `${width} wide${printed ? ', printed' : ''}: ${wide.join('; ')}`);
}

/** axe-core finds nothing. */
async function accessible(page, width) {
  await page.evaluate(axe);
  const result = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  counts.rules += result.passes.length + result.violations.length;
  for (const { id, help, nodes } of result.violations) {
    expect(false, `axe, ${width} wide: ${id}: ${help}: ${nodes.length} times, first ${nodes[0].html.slice(0, 160)} ${nodes[0].failureSummary}`);
  }
  expect(result.passes.length > 10, 'axe-core found little to look at');
}

/** The cells of a column from above to below: the key that it sorts by, else its text. */
const column = (table, place) =>
  table.evaluate(
    (element, place) =>
      [...element.tBodies[0].rows].filter((row) => !row.hidden).map((row) => row.cells[place].dataset.key ?? row.cells[place].textContent),
    place,
  );

/** Each table sorts by each column in both directions, and sorting loses no row. */
async function sorts(page) {
  const wrong = await page.evaluate(() => {
    const wrong = [];
    let checks = 0;
    const words = new Intl.Collator(undefined, { numeric: true });
    for (const table of document.querySelectorAll('table')) {
      const heads = [...table.tHead.rows[0].cells];
      const rows = table.tBodies[0].rows.length;
      heads.forEach((head, place) => {
        const name = `${table.caption.textContent}, ${head.textContent}`;
        const seen = [];
        for (const _ of [1, 2]) {
          head.querySelector('button').click();
          const direction = head.getAttribute('aria-sort');
          seen.push(direction);
          const cells = [...table.tBodies[0].rows].map((row) => row.cells[place]);
          if (cells.length !== rows) wrong.push(`${name}: rows are lost`);
          const ordered = cells.every((cell, at) => {
            if (at === 0) return true;
            const [a, b] = direction === 'ascending' ? [cells[at - 1], cell] : [cell, cells[at - 1]];
            return 'key' in a.dataset ? Number(a.dataset.key) <= Number(b.dataset.key) : words.compare(a.textContent, b.textContent) <= 0;
          });
          if (!ordered) wrong.push(`${name}: not ${direction}`);
          if (table.querySelectorAll('[aria-sort]').length !== 1) wrong.push(`${name}: not one column is marked`);
          checks += 3;
        }
        if (seen.sort().join() !== 'ascending,descending') wrong.push(`${name}: sorts ${seen}`);
      });
    }
    return { wrong, checks };
  });
  counts.checks += wrong.checks;
  for (const one of wrong.wrong) expect(false, one);
}

/** The queues sort by a real mouse, by Enter and by Space. */
async function hands(page) {
  const table = page.locator('#queues ~ .scroll table, #queues ~ h3 ~ .scroll table').first();
  const head = table.locator('thead th').nth(1);
  const sorted = async (what) => {
    const keys = (await column(table, 1)).map(Number);
    const up = (await head.getAttribute('aria-sort')) === 'ascending';
    const holds = keys.every((key, at) => at === 0 || (up ? keys[at - 1] <= key : keys[at - 1] >= key));
    expect(holds && (await table.locator('[aria-sort]').count()) === 1, `${what}: not sorted: ${keys}`);
    return up;
  };
  await head.getByRole('button').click();
  const first = await sorted('a click');
  await page.keyboard.press('Enter');
  expect((await sorted('Enter')) !== first, 'Enter turns no order');
  await page.keyboard.press('Space');
  expect((await sorted('Space')) === first, 'Space turns no order');
}

/** The field shows the rows with a text, and all rows when it is empty. */
async function filters(page) {
  const field = page.getByRole('searchbox');
  const table = page.locator('#messages ~ .scroll table');
  if ((await table.count()) === 0) return;
  const all = await column(table, 0);
  const wanted = (await column(table, 4))[0].slice(0, 12);
  await field.focus();
  await page.keyboard.type(wanted.toUpperCase());
  const left = await table.locator('tbody tr:visible').allTextContents();
  expect(left.length > 0 && left.every((row) => row.toLowerCase().includes(wanted.toLowerCase())), `filter ${wanted}: other rows are shown`);
  await field.fill('no row has this');
  expect((await table.locator('tbody tr:visible').count()) === 0, 'filter: rows without the text are shown');
  const told = (await page.getByRole('status').allTextContents()).join('');
  expect(told.includes('0 of'), `filter: a screen reader is told ${JSON.stringify(told)}`);
  await field.clear();
  expect((await column(table, 0)).length === all.length, 'filter: rows are lost');
}

/** Tab reaches every control, in the order of the page, and each shows that it has the focus. */
async function keyboard(page) {
  const controls = await page.evaluate(() => {
    globalThis.controls = [...document.querySelectorAll('a, button, input, .scroll')].filter((one) => one.tabIndex >= 0);
    return globalThis.controls.length;
  });
  await page.evaluate(() => {
    document.activeElement?.blur();
    globalThis.reached = [];
    document.addEventListener('focusin', ({ target }) => {
      const { outlineStyle, outlineWidth } = getComputedStyle(target);
      globalThis.reached.push([globalThis.controls.indexOf(target), outlineStyle !== 'none' && outlineWidth !== '0px']);
    });
  });
  for (let at = 0; at < controls; at += 1) await page.keyboard.press('Tab');
  const reached = await page.evaluate(() => globalThis.reached);
  const unseen = reached.filter(([, seen]) => !seen).length;
  expect(reached.every(([place], at) => place === at) && reached.length === controls, `Tab reaches ${reached.length} of ${controls} controls in their order`);
  expect(unseen === 0, `${unseen} controls do not show that they have the focus`);
}

/** What a reader gets, without the words of controls. */
const words = (page) =>
  page.evaluate(() => [...document.querySelectorAll('h1, h2, h3, p, li, caption, th, td, figcaption, svg')].map((one) => one.textContent));

/** Marks of the mail by place: a page that shows none of them proves nothing. */
const MARKS = {
  hostile: 'sender sender-domain recipient domain login client hop reason status'.split(' '),
  several: 'sender recipient login client hop reason rule'.split(' '),
};
const NAMES = { several: ['instance-first', 'instance-second', 'place-first'] };

async function look(browser, file) {
  const name = basename(file, '.html');
  const at = (what) => {
    where = `${name}, ${what}`;
  };
  let complete;
  for (const colorScheme of ['light', 'dark']) {
    at(colorScheme);
    const page = await open(browser, file, { colorScheme });
    const [back, color] = await page.evaluate(() => {
      const style = getComputedStyle(document.body);
      return [style.backgroundColor, style.color];
    });
    const bright = (text) => text.match(/\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0);
    expect(bright(back) > bright(color) === (colorScheme === 'light'), `the scheme is not ${colorScheme}: ${color} on ${back}`);
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 900 });
      await fits(page, width, false);
      counts.views += 1;
      // A contrast depends on the scheme alone, and what can be reached on the width.
      if (width === 1280 || (width === 360 && colorScheme === 'light')) await accessible(page, width);
      if (screenshots && (width === 360 || width === 1280)) {
        await page.screenshot({ path: join(screenshots, `${name}-${colorScheme}-${width}.png`), fullPage: true, caret: 'initial' });
      }
    }
    await page.emulateMedia({ media: 'print', colorScheme });
    await page.setViewportSize({ width: PAPER, height: 1000 });
    await fits(page, PAPER, true);
    counts.views += 1;
    if (screenshots && colorScheme === 'light') await page.pdf({ path: join(screenshots, `${name}.pdf`), format: 'A4' });
    await harmless(page);
    complete = await words(page);
    await page.context().close();
  }

  at('keyboard and mouse');
  const tried = await open(browser, file);
  await keyboard(tried);
  await filters(tried);
  await hands(tried);
  await sorts(tried);
  await harmless(tried);
  const text = await tried.evaluate(() => document.body.textContent);
  for (const place of MARKS[name] ?? []) {
    expect(new RegExp(`first-${place}-?[0-9]*`, 'i').test(text), `nothing of the mail's ${place} is shown: the test proves nothing`);
  }
  for (const mark of NAMES[name] ?? []) expect(text.includes(mark), `${mark} is not shown: the test proves nothing`);
  await tried.context().close();

  at('without JavaScript');
  const still = await open(browser, file, { javaScriptEnabled: false });
  expect(same(await words(still), complete), 'the page is not complete');
  expect((await still.locator('button, input').count()) === 0, 'there are controls that do nothing');
  await still.context().close();

  // Escaping is enough: the policy is the second line.
  at('without the policy');
  const bare = await open(browser, file, { bypassCSP: true });
  await bare.waitForTimeout(50);
  await harmless(bare);
  await bare.context().close();
  counts.pages += 1;
}

// launch() gives Chromium a fresh --user-data-dir.
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  headless: true,
  args: [
    '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync',
  ],
});
try {
  for (const file of readdirSync(folder).sort()) {
    const began = Date.now();
    const before = failures.length;
    await look(browser, resolve(folder, file));
    console.log(`${file}: ${failures.length - before} failures, ${((Date.now() - began) / 1000).toFixed(1)} s`);
  }
} finally {
  await browser.close();
}
for (const failure of failures) console.log(failure);
console.log(
  `${counts.pages} pages in Chromium ${browser.version()}, ${counts.views} views, ${counts.rules} results of axe-core, ` +
    `${counts.checks} checks: ${failures.length} failures`,
);
process.exit(failures.length ? 1 : 0);
