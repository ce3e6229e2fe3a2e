'use strict';
// The page is complete without this. It sorts tables by a click on a heading, and filters the messages.
for (const table of document.querySelectorAll('table.sortable')) {
  const body = table.tBodies[0];
  const key = (row, column) => {
    const cell = row.cells[column];
    const value = cell.dataset.key ?? cell.textContent;
    const number = Number(value);
    return value !== '' && !Number.isNaN(number) ? number : value;
  };
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener('click', () => {
      const down = head.getAttribute('aria-sort') !== 'descending';
      for (const other of table.tHead.rows[0].cells) other.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      const order = (a, b) => {
        const [x, y] = [key(a, column), key(b, column)];
        if (typeof x === 'number' && typeof y === 'number') return x - y;
        return String(x).localeCompare(String(y));
      };
      const rows = [...body.rows].sort((a, b) => (down ? order(b, a) : order(a, b)));
      body.append(...rows);
    });
  });
}
const messages = document.querySelector('#messages ~ .scroll table');
if (messages) {
  const label = document.createElement('label');
  label.className = 'filter';
  label.append('Show rows with ');
  const field = document.createElement('input');
  field.type = 'search';
  label.append(field);
  messages.parentElement.before(label);
  field.addEventListener('input', () => {
    const wanted = field.value.toLowerCase();
    for (const row of messages.tBodies[0].rows) {
      row.hidden = !row.textContent.toLowerCase().includes(wanted);
    }
  });
}
