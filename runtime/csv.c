/* Reads tables as RFC 4180 has them: a header row, and quotes around fields that contain commas, quotes or line ends.
   Lines end with LF, CR LF or CR. */
#include "runtime/runtime.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A field. It is unquoted in place, since a field is never longer without its quotes. */
struct lam_cell {
  char *text; /* ends with a zero */
  size_t length;
};
struct lam_csv {
  const char *path;
  char *at, *end;
  int64_t line, row_line; /* row_line: where the present row begins */
  bool row_ended;
};
struct lam_names {
  const char **items;
  int64_t count, capacity;
};
/* A column of the data, for all rows: numbers and categories as values, texts as they stand in the file. */
struct lam_csv_column {
  void *values;
  struct lam_cell *cells;
  int64_t values_capacity, cells_capacity;
  int field;
  struct lam_names names; /* categories */
  bool names_known; /* the weights have them: another is an error */
};
struct lam_csv_contents {
  char *text; /* of the whole file */
  struct lam_csv_column *columns;
  int64_t *lines; /* the line of each row */
};

/* How many bytes the line's end has here: 1 or 2, or 0 without one. The text has a zero after its end. */
static int lam_csv_line_end(const char *at) { return *at == '\n' ? 1 : *at == '\r' ? 1 + (at[1] == '\n') : 0; }

static bool lam_csv_field(struct lam_csv *csv, struct lam_cell *cell) {
  char *from = csv->at, *to = from;
  cell->text = from;
  if (from < csv->end && *from == '"') {
    int64_t first = csv->line;
    for (from++;; *to++ = *from++) {
      if (from == csv->end) return lam_error("%s:%lld: a quote without its end", csv->path, (long long)first);
      csv->line += lam_csv_line_end(from) == 1;
      if (*from == '"' && (++from == csv->end || *from != '"')) break;
    }
    if (from < csv->end && *from != ',' && !lam_csv_line_end(from))
      return lam_error("%s:%lld: '%.*s' after a quoted field, where a comma was expected", csv->path,
                       (long long)csv->line, (int)strcspn(from, ",\r\n"), from);
  } else {
    from += strcspn(from, ",\r\n");
    to = from;
  }
  int line_end = lam_csv_line_end(from);
  csv->row_ended = *from != ',';
  csv->line += line_end > 0;
  csv->at = from + (line_end ? line_end : from < csv->end);
  cell->length = (size_t)(to - cell->text);
  *to = 0;
  return true;
}

/* Reads the next row that is not an empty line. Returns how many fields it has, 0 at the end, or -1 after an error. */
static int lam_csv_row(struct lam_csv *csv, struct lam_cell **cells, int64_t *capacity) {
  int count = 0;
  for (int length; (length = lam_csv_line_end(csv->at)) != 0; csv->line++) csv->at += length;
  csv->row_line = csv->line;
  for (csv->row_ended = csv->at == csv->end; !csv->row_ended; count++) {
    *cells = lam_grow(*cells, count, capacity, sizeof **cells);
    if (!lam_csv_field(csv, &(*cells)[count])) return -1;
  }
  return count;
}

static bool lam_csv_find_field(struct lam_csv *csv, const struct lam_cell *header, int count, const char *field,
                               int *found) {
  char present[512] = "";
  size_t used = 0;
  *found = -1;
  for (int i = 0; i < count; i++) {
    bool same = strcmp(header[i].text, field) == 0;
    if (same && *found >= 0)
      return lam_error("%s:%lld: two columns are called %s", csv->path, (long long)csv->row_line, field);
    if (same) *found = i;
    if (used < sizeof present)
      used += (size_t)snprintf(present + used, sizeof present - used, "%s%s", i ? ", " : "", header[i].text);
  }
  return *found >= 0 ||
         lam_error("%s:%lld: there is no column %s; there are %s", csv->path, (long long)csv->row_line, field, present);
}

static int64_t lam_csv_category(struct lam_csv_column *column, const char *text) {
  for (int64_t i = 0; i < column->names.count; i++)
    if (strcmp(column->names.items[i], text) == 0) return i;
  if (column->names_known) return -1;
  column->names.items =
      lam_grow(column->names.items, column->names.count, &column->names.capacity, sizeof *column->names.items);
  column->names.items[column->names.count] = text;
  return column->names.count++;
}

static bool lam_csv_value(struct lam_dataset *dataset, struct lam_csv_column *column, int c,
                          const struct lam_cell *cell, int64_t row, long long line) {
  const struct lam_column *wanted = &dataset->data->columns[c];
  double number;
  if (wanted->feature == LAM_CATEGORY) {
    int64_t id = lam_csv_category(column, cell->text);
    if (id < 0)
      return lam_error(
          "%s:%lld: column %s: \"%s\" is none of the %lld that the model was trained with; training without "
          "--init and --resume learns others",
          dataset->path, line, wanted->field, cell->text, (long long)column->names.count);
    if (dataset->ranges[c] && id >= dataset->ranges[c])
      return lam_error("%s:%lld: column %s: \"%s\" is different value number %lld, and its axis has %lld",
                       dataset->path, line, wanted->field, cell->text, (long long)id + 1,
                       (long long)dataset->ranges[c]);
    number = (double)id;
  } else {
    char *end;
    number = strtod(cell->text, &end);
    end += strspn(end, " \t");
    if (end == cell->text || *end || end != cell->text + cell->length || !isfinite((float)number)) /* files hold F32 */
      return lam_error("%s:%lld: column %s: \"%s\" is not a number", dataset->path, line, wanted->field, cell->text);
    double limit = dataset->ranges[c] ? (double)dataset->ranges[c] : 2147483648.0;
    if (wanted->type == LAM_TYPE_INTEGER && (number < 0 || number >= limit || floor(number) != number))
      return lam_error("%s:%lld: column %s: %s is not an integer from 0 to %.0f", dataset->path, line, wanted->field,
                       cell->text, limit - 1);
  }
  column->values = lam_grow(column->values, row, &column->values_capacity, lam_type_size(wanted->type));
  lam_set(column->values, wanted->type, row, number);
  return true;
}

/* Categories keep the numbers that training gave them. The fact is their names, each ended by a zero. */
static void lam_csv_recall(struct lam_dataset *dataset, struct lam_csv_column *column, const char *field) {
  const struct lam_pair *fact = lam_categories_find(dataset->facts, field);
  for (size_t i = 0; fact && i < fact->length; i += strlen(fact->value + i) + 1)
    lam_csv_category(column, fact->value + i);
  column->names_known = fact != NULL;
}

static void lam_csv_remember(struct lam_dataset *dataset, const struct lam_csv_column *column, const char *field) {
  const struct lam_names *names = &column->names;
  if (!names->count || lam_categories_find(dataset->facts, field)) return;
  if (lam_categories_add(dataset->facts, field, names->items, names->count)) return;
  lam_error("out of memory");
  exit(1);
}

static bool lam_csv_is_text(enum lam_feature feature) {
  return feature == LAM_TOKENS || feature == LAM_PRESENT || feature == LAM_WEIGHT || feature == LAM_NEXT ||
         feature == LAM_TARGET;
}

/* Checks each text, so that a bad one is reported with its line. Characters are added to `set`; where that is NULL, the
   vocabulary must be known. */
static bool lam_csv_texts(struct lam_dataset *dataset, struct lam_csv_contents *contents, unsigned char *set) {
  const struct lam_data *data = dataset->data;
  char where[512], message[LAM_MESSAGE];
  bool good = true;
  for (int c = 0; c < data->column_count; c++)
    for (int64_t row = 0; contents->columns[c].cells && row < dataset->units && good; row++) {
      const struct lam_cell *cell = &contents->columns[c].cells[row];
      snprintf(where, sizeof where, "%s:%lld: column %s", dataset->path, (long long)contents->lines[row],
               data->columns[c].field);
      if (set)
        good = lam_told(data->tokenizer->collect(set, cell->text, cell->length, message), where, message);
      else
        good = lam_dataset_encode(dataset, cell->text, cell->length, NULL, where) >= 0;
    }
  return good;
}

static bool lam_csv_tokenize(struct lam_dataset *dataset, struct lam_csv_contents *contents) {
  const struct lam_data *data = dataset->data;
  bool known = lam_dataset_recall(dataset);
  if (!known) {
    unsigned char *set = lam_allocate((int64_t)data->tokenizer->set_bytes, 1);
    known = lam_csv_texts(dataset, contents, set);
    if (known && !data->tokenizer->from_set(&dataset->vocabulary, set)) known = lam_error("out of memory");
    free(set);
  }
  bool good = known && lam_csv_texts(dataset, contents, NULL);
  for (int c = 0; c < data->column_count && good; c++)
    if (contents->columns[c].cells && data->columns[c].type == LAM_TYPE_INTEGER && dataset->ranges[c] &&
        dataset->vocabulary.count > dataset->ranges[c])
      good = lam_error("%s has %lld different characters and the axis of %s has %lld: it must be at least %lld",
                       dataset->path, (long long)dataset->vocabulary.count, data->columns[c].name,
                       (long long)dataset->ranges[c], (long long)dataset->vocabulary.count);
  return good && (lam_vocabulary_remember(&dataset->vocabulary, dataset->facts) || lam_error("out of memory"));
}

static bool lam_csv_rows(struct lam_dataset *dataset, struct lam_csv *csv, struct lam_csv_contents *contents) {
  const struct lam_data *data = dataset->data;
  struct lam_cell *cells = NULL;
  int64_t capacity = 0, lines_capacity = 0;
  int header = lam_csv_row(csv, &cells, &capacity), count = 0;
  if (header == 0) lam_error("%s is empty: a row of column names was expected", csv->path);
  bool good = header > 0;
  for (int c = 0; c < data->column_count && good; c++) {
    enum lam_feature feature = data->columns[c].feature;
    contents->columns[c].field = -1;
    if (!dataset->needed[c] || feature == LAM_ZERO || feature == LAM_YES) continue;
    good = lam_csv_find_field(csv, cells, header, data->columns[c].field, &contents->columns[c].field);
    if (feature == LAM_CATEGORY) lam_csv_recall(dataset, &contents->columns[c], data->columns[c].field);
  }
  while (good) {
    contents->lines = lam_grow(contents->lines, dataset->units, &lines_capacity, sizeof *contents->lines);
    if ((count = lam_csv_row(csv, &cells, &capacity)) <= 0) break;
    int64_t line = csv->row_line;
    contents->lines[dataset->units] = line;
    if (count != header)
      good = lam_error("%s:%lld: %d fields, where the header has %d", csv->path, (long long)line, count, header);
    for (int c = 0; c < data->column_count && good; c++) {
      struct lam_csv_column *column = &contents->columns[c];
      if (column->field < 0) continue;
      if (lam_csv_is_text(data->columns[c].feature)) {
        column->cells = lam_grow(column->cells, dataset->units, &column->cells_capacity, sizeof *column->cells);
        column->cells[dataset->units] = cells[column->field];
      } else {
        good = lam_csv_value(dataset, column, c, &cells[column->field], dataset->units, line);
      }
    }
    dataset->units += good;
  }
  free(cells);
  return good && count == 0;
}

static bool lam_csv_open(struct lam_dataset *dataset) {
  const struct lam_data *data = dataset->data;
  size_t length;
  char *text = lam_read_file(dataset->path, "; --data FILE names another", &length);
  if (!text) return false;
  struct lam_csv csv = {dataset->path, text, text + length, 1, 1, false};
  if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) csv.at += 3;
  struct lam_csv_contents *contents = lam_allocate(1, sizeof *contents);
  contents->text = text;
  contents->columns = lam_allocate(data->column_count, sizeof *contents->columns);
  dataset->contents = contents;
  if (strlen(text) != length)
    return lam_error("%s:%lld: a zero byte: it is not a CSV file", dataset->path, lam_line_of(text, strlen(text)));
  if (!lam_csv_rows(dataset, &csv, contents)) return false;
  if (!dataset->units) return lam_error("%s has column names and no rows", dataset->path);
  bool has_text = false;
  for (int c = 0; c < data->column_count; c++) {
    has_text |= contents->columns[c].cells != NULL;
    if (data->columns[c].feature == LAM_CATEGORY && dataset->needed[c])
      lam_csv_remember(dataset, &contents->columns[c], data->columns[c].field);
  }
  return !has_text || lam_csv_tokenize(dataset, contents);
}

static void lam_csv_close(struct lam_dataset *dataset) {
  struct lam_csv_contents *contents = dataset->contents;
  for (int c = 0; c < dataset->data->column_count; c++) {
    free(contents->columns[c].values);
    free(contents->columns[c].cells);
    free(contents->columns[c].names.items);
  }
  free(contents->columns);
  free(contents->lines);
  free(contents->text);
}

/* Writes a text's ids, cut off or padded with 0, and returns how many are not padding. */
static int64_t lam_csv_ids(const struct lam_dataset *dataset, const struct lam_column *column,
                           const struct lam_cell *cell, int32_t *ids) {
  int64_t count = 0, room = column->length - (column->start >= 0) - (column->stop >= 0);
  if (column->start >= 0 && count < column->length) ids[count++] = (int32_t)column->start;
  char message[LAM_MESSAGE]; /* not shown: every text was checked when the file was read */
  if (room > 0) count += lam_encode(&dataset->vocabulary, cell->text, cell->length, ids + count, room, message);
  if (column->stop >= 0 && count < column->length) ids[count++] = (int32_t)column->stop;
  memset(ids + count, 0, (size_t)(column->length - count) * sizeof *ids);
  return count;
}

static void lam_csv_fill(const struct lam_dataset *dataset, int c, const struct lam_row *row, void *to) {
  const struct lam_column *column = &dataset->data->columns[c];
  const struct lam_csv_column *from = &((struct lam_csv_contents *)dataset->contents)->columns[c];
  size_t size = lam_type_size(column->type);
  if (from->values) {
    memcpy(to, (char *)from->values + (size_t)row->begin * size, size);
  } else if (!from->cells) {
    memset(to, column->feature == LAM_YES, size * (size_t)column->length);
  } else if (column->type == LAM_TYPE_INTEGER) {
    lam_csv_ids(dataset, column, &from->cells[row->begin], to);
  } else {
    int32_t *ids = lam_allocate(column->length, sizeof *ids);
    int64_t count = lam_csv_ids(dataset, column, &from->cells[row->begin], ids);
    for (int64_t i = 0; i < column->length; i++) lam_set(to, column->type, i, i < count);
    free(ids);
  }
}

/* The name of class `id`, where exactly one column of the data has categories; else NULL. */
static const char *lam_csv_class_name(const struct lam_pairs *facts, int64_t id) {
  const struct lam_pair *names = NULL;
  for (int64_t i = 0; i < facts->count; i++) {
    if (!lam_category_column(facts->items[i].key)) continue;
    if (names) return NULL;
    names = &facts->items[i];
  }
  for (size_t at = 0; names && at < names->length; at += strlen(names->value + at) + 1)
    if (id-- == 0) return names->value + at;
  return NULL;
}

LAM_API const struct lam_reader lam_csv_reader = {"CSV", lam_csv_open, lam_csv_close, lam_csv_fill, lam_csv_class_name};
