'use strict';
// The page is complete without this. It sorts tables by a click on a heading, and filters the messages.
const words = new Intl.Collator(undefined, {numeric: true});
for (const table of document.querySelectorAll('table.sortable')) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = head.textContent;
    head.replaceChildren(button);
    const order = (a, b) => {
      const [x, y] = [a.cells[column], b.cells[column]];
      return 'key' in x.dataset && 'key' in y.dataset
        ? x.dataset.key - y.dataset.key
        : words.compare(x.textContent, y.textContent);
    };
    button.addEventListener('click', () => {
      const was = head.getAttribute('aria-sort');
      // The largest figure first, but names from A to Z.
      const down = was ? was === 'ascending' : head.classList.contains('n');
      for (const other of heads) other.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      body.append(...[...body.rows].sort((a, b) => (down ? order(b, a) : order(a, b))));
    });
  });
}
const messages = document.querySelector('#messages ~ .scroll table');
if (messages) {
  const filter = document.createElement('div');
  filter.className = 'filter';
  const label = document.createElement('label');
  const field = document.createElement('input');
  field.type = 'search';
  label.append('Show rows with ', field);
  const shown = document.createElement('span');
  shown.setAttribute('role', 'status');
  filter.append(label, ' ', shown);
  messages.parentElement.before(filter);
  field.addEventListener('input', () => {
    const wanted = field.value.toLowerCase();
    const rows = [...messages.tBodies[0].rows];
    for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
    const left = rows.filter((row) => !row.hidden).length;
    shown.textContent = wanted ? `${left} of ${rows.length} rows` : '';
  });
}
