/* `lamella show --stage=clusters` tells people which values became one kernel, and why. Each reason was set where the
   decision was taken (reason.def); here reasons are only put into words. Clusters whose accounts are alike, such as
   those of the copies of a repeat, are told once. */
#include <string.h>

#include "passes/fuse.h"
#include "passes/stream.h"

static const char *const keep_texts[] = {
    "",
#define KEEP(name, text) text,
#include "passes/reason.def"
#undef KEEP
};
static const char *const join_texts[] = {
    "",
#define JOIN(name, text) text,
#include "passes/reason.def"
#undef JOIN
};
static const char *const refusal_texts[] = {
    "",
#define REFUSAL(name, text) text,
#include "passes/reason.def"
#undef REFUSAL
};
static const char *const apart_texts[] = {
    "",
#define APART(name, text) text,
#include "passes/reason.def"
#undef APART
};
static const char *const untiled_texts[] = {
    "",
#define UNTILED(name, text) text,
#include "passes/reason.def"
#undef UNTILED
};
static const char *const bitmap_texts[] = {
    "",
#define BITMAP(name, text) text,
#include "passes/reason.def"
#undef BITMAP
};
static const char *const copy_texts[] = {
    "",
#define COPY(name, text) text,
#include "passes/reason.def"
#undef COPY
};
static const char *const form_texts[] = {
#define FORM(name, text) text,
#include "passes/reason.def"
#undef FORM
};

struct values {
  ARRAY(const struct value *) items;
};

/* The text of one cluster or copy, line by line. */
struct account {
  struct scheduler *s;
  struct values *readers; /* by value id: the roots that read it from memory or from another cluster */
  const char **kernels; /* by value id, for roots: the name of the kernel that computes it */
  int *seen, stamp; /* by value id: stamps of the walk over one root's expression */
  bool general; /* numbers of copies are written as * */
  bool numbered; /* values are told with their numbers in the graph */
  const char *text;
};

/* --- Names ------------------------------------------------------------------------------------------------------------------ */

/* The number of a copy stands between dots, where the spec's own names cannot have one. */
static const char *without_copies(struct arena *arena, const char *path) {
  char *text = arena_strdup(arena, path), *to = text;
  for (const char *from = path; *from;) {
    size_t digits = strspn(from, "0123456789");
    bool part = (from == path || from[-1] == '.') && digits &&
                (from[digits] == '.' || from[digits] == 0 || from[digits] == '/');
    if (part) {
      *to++ = '*';
      from += digits;
    } else {
      *to++ = *from++;
    }
  }
  *to = 0;
  return text;
}

static const char *name_of(struct account *a, const struct value *value) {
  const struct origin *origin;
  const char *name = value->op == OP_state ? value->state->name : value_label(a->s, value, &origin);
  return a->general ? without_copies(a->s->arena, name) : name;
}

/* "gpt2.lam:31", or nothing where a pass made it. */
static const char *line_in_spec(struct account *a, struct span span) {
  if (!span.source) return "";
  int line, column;
  source_position(span.source, span.begin, &line, &column);
  const char *slash = strrchr(span.source->path, '/');
  return arena_format(a->s->arena, ", %s:%d", slash ? slash + 1 : span.source->path, line);
}

/* "h.*.x = add [batch, seq, embed], %17, gpt2.lam:31" */
static const char *describe(struct account *a, const struct value *value) {
  struct arena *arena = a->s->arena;
  const char *number = a->numbered ? arena_format(arena, ", %%%d", value->id) : "";
  return arena_format(arena, "%s = %s %s%s%s", name_of(a, value), op_facts[value->op].name,
                      axes_text(arena, value->axes, value->axis_count, false), number,
                      line_in_spec(a, value->origin.span));
}

/* --- Lines ------------------------------------------------------------------------------------------------------------------ */

enum { LABEL_WIDTH = 13, LINE_WIDTH = 120 };

/* A line that begins with a label and goes on below itself where it is long. */
static void line(struct account *a, const char *label, const char *text) {
  struct arena *arena = a->s->arena;
  a->text = arena_format(arena, "%s  %-*s", a->text, LABEL_WIDTH, label);
  int at = LABEL_WIDTH + 2;
  for (const char *word = text; *word;) {
    int length = (int)strcspn(word, " ");
    const char *before = word == text ? "" : " ";
    if (at + length > LINE_WIDTH && word != text) {
      before = arena_format(arena, "\n%*s", LABEL_WIDTH + 4, "");
      at = LABEL_WIDTH + 4;
    }
    a->text = arena_format(arena, "%s%s%.*s", a->text, before, length, word);
    at += length + 1;
    word += length + (word[length] == ' ');
  }
  a->text = arena_format(arena, "%s\n", a->text);
}

enum { MOST_LISTED = 4, MOST_READ = 12 };

struct list {
  ARRAY(const char *) items;
};

static void list_add(struct account *a, struct list *list, const char *item) {
  for (int i = 0; i < list->items.count; i++)
    if (!strcmp(list->items.items[i], item)) return;
  array_push(a->s->arena, &list->items, item);
}

/* "a, b, c and 4 more" */
static const char *list_text(struct account *a, const struct list *list, int most) {
  const char *text = "";
  int count = list->items.count, shown = count <= most ? count : most - 1;
  for (int i = 0; i < shown; i++) text = arena_format(a->s->arena, "%s%s%s", text, i ? ", " : "", list->items.items[i]);
  return shown < count ? arena_format(a->s->arena, "%s and %d more", text, count - shown) : text;
}

/* --- What a cluster reads ------------------------------------------------------------------------------------------------------ */

static bool is_root(struct account *a, const struct value *value) { return note_of(a->s, value)->cluster != NULL; }

/* Lists the values of a root's expression: those that it reads, from memory or from another root, in `read`, and those
   that it computes on the spot in `inside`. */
static void walk(struct account *a, const struct value *value, struct values *inside, struct values *read) {
  for (int i = 0; i < value->input_count; i++) {
    const struct value *x = value->inputs[i];
    if (a->seen[x->id] == a->stamp) continue;
    a->seen[x->id] = a->stamp;
    bool ends = is_root(a, x) || stops_here(a->s, x);
    if (ends && !note_of(a->s, x)->is_absorbed) {
      array_push(a->s->arena, &read->items, x);
      continue;
    }
    if (is_leaf(x)) continue;
    walk(a, x, inside, read);
    array_push(a->s->arena, &inside->items, x);
  }
}

static const struct cluster *home_of(struct account *a, const struct value *value) { return cluster_of(a->s, value); }

static void find_readers(struct account *a) {
  for (int t = 0; t < a->s->decisions.told.count; t++) {
    const struct cluster *cluster = a->s->decisions.told.items[t].cluster;
    for (int i = 0; cluster && i < cluster->values.count; i++) {
      struct values inside = {0}, read = {0};
      a->stamp++;
      walk(a, cluster->values.items[i], &inside, &read);
      for (int j = 0; j < read.items.count; j++)
        if (home_of(a, read.items.items[j]) != cluster)
          array_push(a->s->arena, &a->readers[read.items.items[j]->id].items, cluster->values.items[i]);
    }
  }
}

/* "; read by layernorm; in the backward pass by softmax_gradient" */
static const char *readers_text(struct account *a, const struct value *value) {
  struct arena *arena = a->s->arena;
  struct list there = {0}, back = {0}, parts = {0};
  const struct values *readers = &a->readers[value->id];
  for (int i = 0; i < readers->items.count; i++) {
    const struct value *reader = readers->items.items[i];
    if (!*a->kernels[reader->id]) { /* a concat whose parts are all computed in their places has no kernel */
      list_add(a, &parts, name_of(a, reader));
      continue;
    }
    list_add(a, facts_is_way_back(&a->s->facts, reader) && !facts_is_way_back(&a->s->facts, value) ? &back : &there,
             a->kernels[reader->id]);
  }
  const char *text = there.items.count ? arena_format(arena, "; read by %s", list_text(a, &there, MOST_LISTED)) : "";
  if (parts.items.count) text = arena_format(arena, "%s; it is a part of %s", text, list_text(a, &parts, MOST_LISTED));
  if (!back.items.count) return text;
  return arena_format(arena, "%s; %sin the backward pass by %s", text, there.items.count ? "" : "read ",
                      list_text(a, &back, MOST_LISTED));
}

/* --- Clusters --------------------------------------------------------------------------------------------------------------- */

/* The names of a cluster's kernels; without `packing`, kernels that only pack operands for others are left out. */
static const char *kernel_names(struct account *a, const struct told *told, bool packing) {
  struct list names = {0};
  for (int i = told->first; i < told->first + told->count; i++)
    if (packing || a->s->decisions.forms.items[i] != FORM_PACK)
      list_add(a, &names, a->s->routine->launches.items[i]->function->name);
  return list_text(a, &names, names.items.count);
}

static void head(struct account *a, const struct told *told) {
  struct arena *arena = a->s->arena;
  const struct cluster *cluster = told->cluster;
  const char *form = "everything is computed in its place";
  /* The first kernel that does not pack operands for others; what goes on from a contraction may have one after it. */
  for (int i = 0; i < told->count; i++) {
    form = form_texts[a->s->decisions.forms.items[told->first + i]];
    if (a->s->decisions.forms.items[told->first + i] != FORM_PACK) break;
  }
  a->text = form;
  if (!cluster) return;
  if (cluster->kind == CLUSTER_CONCAT && told->count) a->text = "concat: copies of its parts";
  struct axis *const *space = cluster->space;
  int count = cluster->space_count;
  struct axis *const *along = cluster->reduced;
  int along_count = cluster->reduced_count;
  if (cluster->kind == CLUSTER_CONTRACT || cluster->kind == CLUSTER_CONCAT || cluster->kind == CLUSTER_OTHER) {
    const struct value *value = cluster->values.items[0];
    const struct value *product = product_of(a->s, value);
    space = value->axes, count = value->axis_count;
    along = product->list, along_count = product->op == OP_contract || is_reduction(product) ? product->list_count : 0;
  }
  if (count) a->text = arena_format(arena, "%s over %s", a->text, axes_text(arena, space, count, true));
  if (along_count)
    a->text = arena_format(arena, "%s, reduced along %s", a->text, axes_text(arena, along, along_count, true));
}

/* By what the contraction's kernel multiplies. */
static void tell_multiplying(struct account *a, const struct told *told) {
  if (told->cluster && told->cluster->stream && told->cluster->kind != CLUSTER_CONTRACT) return;
  for (int i = told->first; i < told->first + told->count; i++) {
    const char *by = a->s->routine->launches.items[i]->function->multiplies;
    if (by) line(a, "multiplies", arena_format(a->s->arena, "by %s", by));
  }
}

static void tell_clipping(struct account *a, const struct told *told) {
  const struct axis *clipped = told->cluster && told->cluster->stream ? told->cluster->stream->clipped : NULL;
  if (clipped)
    line(a, "clips",
         arena_format(a->s->arena, "%s: past the last row of a block the mask leaves nothing", clipped->name));
}

static void tell_joining(struct account *a, const struct cluster *cluster, const struct value *root) {
  const struct note *note = note_of(a->s, root);
  if (cluster->values.count < 2 || note->joined == JOIN_NOT || note->joined == JOIN_FIRST) return;
  const char *by = note->joined_by ? name_of(a, note->joined_by) : "", *text = join_texts[note->joined],
             *gap = strstr(text, "%s");
  if (gap) text = arena_format(a->s->arena, "%.*s%s%s", (int)(gap - text), text, by, gap + 2);
  line(a, "    here", arena_format(a->s->arena, "because %s", text));
}

static void tell_addition(struct account *a, const struct value *value) {
  const struct note *note = note_of(a->s, value);
  if (note->absorbed) {
    const struct value *other = value->inputs[value->inputs[0] == note->absorbed];
    line(a, "    adds",
         arena_format(a->s->arena, "the contraction %s begins from %s instead of 0",
                      note->absorbed->name ? name_of(a, note->absorbed) : "itself", name_of(a, other)));
  } else if (note->apart != APART_NOT) {
    line(a, "    added", arena_format(a->s->arena, "here, since %s", apart_texts[note->apart]));
  }
}

static void tell_root(struct account *a, const struct cluster *cluster, const struct value *root) {
  const struct note *note = note_of(a->s, root);
  const bool stored = note->materialised && !note->is_local;
  line(a, stored ? "stores" : note->is_local ? "sums" : "reduces", describe(a, root));
  if (stored)
    line(a, "    stored", arena_format(a->s->arena, "because %s%s", keep_texts[note->kept], readers_text(a, root)));
  else
    line(a, "    unstored", "because only this kernel needs it");
  if (note->place && note->place->in_block)
    line(a, "    block", arena_format(a->s->arena, "%s of it lie in memory at a time", note->place->buffer->comment));
  tell_addition(a, root);
  if (note->untiled != UNTILED_NOT)
    line(a, "    no tiles", arena_format(a->s->arena, "because %s", untiled_texts[note->untiled]));
  const struct note *product = note_of(a->s, note->absorbed ? note->absorbed : root);
  if (product->bitmap != BITMAP_NOT)
    line(a, "    pruned",
         arena_format(a->s->arena, "at most %.3g%% of the weight's elements are not zero; %s",
                      100 * product->kept_share, bitmap_texts[product->bitmap]));
  tell_joining(a, cluster, root);
}

/* Tells what is computed on the spot: values that the spec names by their names, others as a count for each
   operation. */
static void tell_inside(struct account *a, const struct cluster *cluster) {
  struct arena *arena = a->s->arena;
  struct values inside = {0}, read = {0};
  a->stamp++;
  for (int i = 0; i < cluster->values.count; i++) walk(a, cluster->values.items[i], &inside, &read);
  struct list named = {0}, unnamed = {0}, views = {0}, inputs = {0};
  int counts[OP_COUNT] = {0};
  for (int i = 0; i < inside.items.count; i++) {
    const struct value *value = inside.items.items[i];
    if (note_of(a->s, value)->is_absorbed) continue;
    bool view = is_view(value);
    if (value->name && view)
      list_add(a, &views, name_of(a, value));
    else if (value->name)
      list_add(a, &named, describe(a, value));
    else if (!view)
      counts[value->op]++;
  }
  for (int op = 0; op < OP_COUNT; op++)
    if (counts[op])
      list_add(a, &unnamed,
               counts[op] > 1 ? arena_format(arena, "%d %s", counts[op], op_facts[op].name) : op_facts[op].name);
  for (int i = 0; i < read.items.count; i++)
    if (home_of(a, read.items.items[i]) != cluster) list_add(a, &inputs, name_of(a, read.items.items[i]));
  if (inputs.items.count) line(a, "reads", list_text(a, &inputs, MOST_READ));
  for (int i = 0; i < named.items.count; i++) line(a, "on the spot", named.items.items[i]);
  if (unnamed.items.count)
    line(a, "on the spot", arena_format(arena, "without names: %s", list_text(a, &unnamed, unnamed.items.count)));
  if (views.items.count) line(a, "as views", list_text(a, &views, views.items.count));
  for (int i = 0; i < inside.items.count; i++) {
    const struct value *value = inside.items.items[i];
    const enum apart_reason apart = note_of(a->s, value)->apart;
    if (apart != APART_NOT)
      line(a, "added here", arena_format(arena, "%s, since %s", name_of(a, value), apart_texts[apart]));
    if (note_of(a->s, value)->stays)
      line(a, "recomputed",
           arena_format(arena, "%s, though it is dear: a kernel that stored it would wait for itself",
                        name_of(a, value)));
  }
}

/* Whether one of the two clusters reads what the other computes, or both read the same. */
static bool is_neighbour(struct account *a, const struct cluster *cluster, const struct cluster *other) {
  bool found = false;
  struct values inside = {0}, read = {0};
  a->stamp++;
  for (int i = 0; i < cluster->values.count; i++) walk(a, cluster->values.items[i], &inside, &read);
  for (int i = 0; i < read.items.count && !found; i++) {
    const struct values *readers = &a->readers[read.items.items[i]->id];
    found = home_of(a, read.items.items[i]) == other;
    for (int j = 0; j < readers->items.count && !found; j++) found = home_of(a, readers->items.items[j]) == other;
  }
  return found;
}

/* Tells why roots of this cluster are not computed in other clusters, as far as those are still neighbours when all is
   decided. */
static void tell_refusals(struct account *a, const struct cluster *cluster) {
  struct arena *arena = a->s->arena;
  struct list told = {0};
  const bool fuse = a->s->fuse;
  if (cluster->kind == CLUSTER_CONTRACT && cluster->values.count == 1 && fuse)
    line(a, "alone", "because only values of one element each are computed from a contraction's sums in its kernel");
  if (cluster->kind == CLUSTER_CONCAT)
    line(a, "alone", "because a concat only copies parts that nobody computes in their place");
  if (cluster->kind == CLUSTER_OTHER && fuse) line(a, "alone", "because it is no expression of one element");
  for (int i = 0; i < a->s->decisions.refusals.count; i++) {
    const struct refusal *refusal = &a->s->decisions.refusals.items[i];
    const struct cluster *other = representative(refusal->cluster);
    if (home_of(a, refusal->root) != cluster || other == cluster || !other->values.count ||
        !is_neighbour(a, cluster, other))
      continue;
    const struct value *first = other->values.items[0];
    const char *kernel = a->kernels[first->id], *name = name_of(a, first);
    const char *who = *kernel ? arena_format(arena, "%s (%s)", kernel, name) : name;
    list_add(a, &told, arena_format(arena, "%s: %s", who, refusal_texts[refusal->why]));
  }
  for (int i = 0; i < told.items.count; i++) line(a, "apart from", told.items.items[i]);
}

static void tell_cluster(struct account *a, const struct cluster *cluster) {
  for (int i = 0; i < cluster->values.count; i++) tell_root(a, cluster, cluster->values.items[i]);
  tell_inside(a, cluster);
  tell_refusals(a, cluster);
}

static void tell_copy(struct account *a, const struct copy *copy) {
  const struct buffer *to = copy->place->buffer;
  const char *label = a->general ? without_copies(a->s->arena, to->label) : to->label;
  const char *what = to->role == BUFFER_STATE    ? "the state"
                     : to->role == BUFFER_OUTPUT ? "the output"
                                                 : "memory of its own for";
  line(a, "copies", arena_format(a->s->arena, "%s to %s %s", describe(a, copy->value), what, label));
  line(a, "    copied", arena_format(a->s->arena, "because %s", copy_texts[copy->why]));
}

/* The kernels that the routine derive launches in place of this one. */
static void tell_derived(struct account *a, const struct told *told) {
  struct list names = {0};
  for (int i = told->first; i < told->first + told->count; i++) {
    const struct launch *launch = a->s->routine->launches.items[i];
    if (launch->derived) list_add(a, &names, launch->function->name);
  }
  if (!names.items.count) return;
  line(a, "derived",
       arena_format(a->s->arena, "%s, of parameters alone: derive launches it, when these have changed",
                    list_text(a, &names, names.items.count)));
}

static const char *account_of(struct account *a, const struct told *told, bool general, bool numbered) {
  a->general = general;
  a->numbered = numbered;
  head(a, told);
  a->text = arena_format(a->s->arena, "%s\n", a->text);
  tell_multiplying(a, told);
  tell_clipping(a, told);
  if (told->cluster)
    tell_cluster(a, told->cluster);
  else
    tell_copy(a, told->copy);
  tell_derived(a, told);
  return a->text;
}

/* --- The graph --------------------------------------------------------------------------------------------------------------- */

/* Clusters with equal accounts: the first of them, and how many there are. */
struct alike {
  const struct told *first;
  const char *names;
  int count;
};

void explain_clusters(struct scheduler *s, FILE *file) {
  int count = s->graph->next_value;
  struct account account = {.s = s,
                            .readers = arena_new_array(s->arena, struct values, count),
                            .kernels = arena_new_array(s->arena, const char *, count),
                            .seen = arena_new_array(s->arena, int, count)},
                 *a = &account;
  for (int i = 0; i < count; i++) a->kernels[i] = "";
  for (int t = 0; t < s->decisions.told.count; t++) {
    const struct cluster *cluster = s->decisions.told.items[t].cluster;
    for (int i = 0; cluster && i < cluster->values.count; i++)
      a->kernels[cluster->values.items[i]->id] = kernel_names(a, &s->decisions.told.items[t], false);
  }
  find_readers(a);
  ARRAY(struct alike *) all = {0};
  struct table by_text = {0};
  for (int t = 0; t < s->decisions.told.count; t++) {
    const struct told *told = &s->decisions.told.items[t];
    if (!told->cluster && !told->count) continue;
    const char *names = kernel_names(a, told, true),
               *key = arena_format(s->arena, "%s: %s", names, account_of(a, told, true, false));
    struct alike *alike = table_find(&by_text, key);
    if (!alike) {
      alike = arena_new_struct(s->arena, struct alike);
      *alike = (struct alike){told, names, 0};
      table_set(s->arena, &by_text, key, alike);
      array_push(s->arena, &all, alike);
    }
    alike->count++;
  }
  fprintf(file, "graph %s: %d launches in %d accounts; copies share an account, with the %%numbers of the first\n",
          s->graph->name, s->routine->launches.count, all.count);
  for (int i = 0; i < all.count; i++) {
    const struct alike *alike = all.items[i];
    fprintf(file, "\n%s", *alike->names ? alike->names : "no kernel");
    if (alike->count > 1) fprintf(file, "  x %d", alike->count);
    fprintf(file, ": %s", account_of(a, alike->first, alike->count > 1, true));
  }
  fputc('\n', file);
}
