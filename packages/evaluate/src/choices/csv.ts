/** Records of a CSV file (RFC 4180): fields may be quoted, and then hold commas, line breaks and doubled quotes. */

export interface CsvRecord {
  /** 1-based line on which the record begins. */
  readonly line: number;
  readonly fields: readonly string[];
}

/** A field up to its separator: quoted, or everything up to a comma or line break. Sticky, so it matches where it stands or not at all. */
const FIELD = /(?:"([^"]*(?:""[^"]*)*)"|((?!")[^,\r\n]*))(,|\r?\n|$)/y;

/** @param refuse makes the error for a line */
export function* csvRecords(text: string, refuse: (line: number, what: string) => Error): Generator<CsvRecord> {
  const field = new RegExp(FIELD);
  let line = 1;
  let start = 1;
  let fields: string[] = [];
  while (field.lastIndex < text.length || fields.length > 0) {
    const from = field.lastIndex;
    const match = field.exec(text);
    if (match === null) throw refuse(start, text[from] === '"' ? 'a quoted field does not end, or something stands behind its last quote' : 'a carriage return stands inside a field');
    const [whole, quoted, plain = '', separator] = match;
    fields.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    line += whole.split('\n').length - 1;
    if (separator === ',') continue;
    yield { line: start, fields };
    fields = [];
    start = line;
  }
}
