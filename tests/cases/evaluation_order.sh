#!/usr/bin/env bash
# Nothing in the sources depends on the order in which a C compiler evaluates arguments: what Lamella emits is the same
# whatever compiler it was built by.
. "$(dirname "$0")/../lib.sh"
check="$LAMELLA_BUILD/tests/tools/evaluation_order"
[[ -x $check ]] || skip "built without LLVM 19"
cd "$LAMELLA_ROOT"
mapfile -t files < <(find codegen driver frontend ir passes runtime tests/harness -name '*.c' | sort)
((${#files[@]} > 200)) || fail "only ${#files[@]} sources"
files+=("$LAMELLA_BUILD/frontend/spec.tab.c")
if ! "$check" "$LAMELLA_BUILD" "${files[@]}" 2>"$WORK/messages"; then
  grep -v '^\[.*Processing file' "$WORK/messages" || true
  fail "see above: evaluate one of the parts first, in a variable"
fi
functions=$(sed -n 's/ functions$//p' "$WORK/messages")
((functions > 2000)) || fail "only $functions functions"

# What is found, and what not.
cd "$WORK"
cat >sample.c <<'SAMPLE'
struct list { int count, items[8]; };
struct pair { int x, y; };
struct arena;
void *malloc(unsigned long);
int add(struct list *list, int item) { list->items[list->count] = item; return list->count++; }
static int twice(struct list *list) { return add(list, add(list, 0)); }
int sum(int x, int y) { return x + y; }
int last(const struct list *list, int number) { return list->items[number]; }
int next(int *at) { return ++*at; }
struct list *fresh(int x) { struct list *list = malloc(sizeof *list); list->count = x; return list; }
int both(struct list *x, struct list *y) { return x->count + y->count; }
int wrong_arguments(struct list *list) { return sum(add(list, 1), twice(list)); } // found
int wrong_alias(struct list *list) { struct list *same = list; return sum(add(list, 1), add(same, 2)); } // found
struct pair wrong_list(struct list *list) { return (struct pair){add(list, 1), add(list, 2)}; } // found
int wrong_operands(struct list *list) { return add(list, 1) - add(list, 2); } // found
int wrong_inside(struct list *list) { return sum(1 + add(list, 1), list->count++); } // found
int wrong_push(struct list *list) { return list->items[list->count++] = add(list, 1); } // found
int wrong_reading(void) { int at = 0; return sum(next(&at), at); } // found
int wrong_member(void) { struct list list = {0}; return sum(add(&list, 1), list.count); } // found
int right_one(struct list *list, int x) { return sum(x, add(list, x)); }
int right_chain(struct list *list) { return add(list, add(list, add(list, 1))); }
int right_named(struct list *list) { int x = add(list, 1); return sum(x, add(list, 2)); }
int right_fresh(void) { return both(fresh(1), fresh(2)); }
int right_logic(struct list *list) { return add(list, 1) && add(list, 2); }
int right_choice(struct list *list, int x) { return x ? add(list, 1) : add(list, 2); }
int right_apart(void) { int x = 0, y = 0; return sum(next(&x), next(&y)); }
SAMPLE
"$check" "$LAMELLA_BUILD" sample.c >found 2>messages && fail "nothing is found in the sample"
expect_equal "$(cut -d: -f2 found | sort -nu)" "$(grep -n '// found' sample.c | cut -d: -f1)" "the lines that are found"
