/* Reads a command line VERB [--name VALUE | --name=VALUE] ... */
#include "runtime/runtime.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

LAM_API const struct lam_option lam_common_options[] = {
    {"threads", "N", "threads to compute with (default: all processors)", 1, 4096},
    {"help", NULL, "this text", 0, 0},
    {0}};

static const struct lam_option *lam_option_find(const struct lam_option *options, const char *name) {
  for (; options->name; options++)
    if (strcmp(options->name, name) == 0) return options;
  return NULL;
}

static bool lam_option_valid(const struct lam_option *option, const char *value) {
  char *end;
  bool is_integer = strcmp(option->argument, "N") == 0;
  if (!is_integer && strcmp(option->argument, "X") != 0) return true;
  errno = 0;
  double number = is_integer ? (double)strtoll(value, &end, 10) : strtod(value, &end);
  if (errno || end == value || *end || isnan(number))
    return lam_error("--%s %s: %s is wanted", option->name, value, is_integer ? "an integer" : "a number");
  if (number < option->minimum || number > option->maximum)
    return lam_error("--%s %s: it must be from %g to %g", option->name, value, option->minimum, option->maximum);
  return true;
}

bool lam_options_parse(struct lam_options *options, int count, char **arguments) {
  const struct lam_option *last = NULL;
  options->given = lam_allocate(count, sizeof *options->given);
  for (int i = 0; i < count; i++) {
    char *name = strcmp(arguments[i], "-h") ? arguments[i] : (char *)"--help", *value = strchr(name, '=');
    if (strncmp(name, "--", 2) != 0 && last && !last->argument)
      return lam_error("\"%s\" is not an option of %s, and --%s takes no value; it means: %s", name,
                       options->verb->name, last->name, last->help);
    if (strncmp(name, "--", 2) != 0) return lam_error("\"%s\" is not an option of %s", name, options->verb->name);
    name += 2;
    if (value) *value++ = 0;
    const struct lam_option *option = lam_option_find(options->verb->options, name);
    if (!option) option = lam_option_find(lam_common_options, name);
    if (!option && options->more) option = lam_option_find(options->more, name);
    if (!option && options->adapters) option = lam_option_find(options->adapters, name);
    if (!option) {
      const char *meant = lam_closest(name, options->verb->options, sizeof *option);
      return lam_error("%s has no option --%s%s%s%s", options->verb->name, name, meant ? "; did you mean --" : "",
                       meant ? meant : "", meant ? "?" : "");
    }
    last = option;
    if (!option->argument && value) return lam_error("--%s takes no value; it means: %s", name, option->help);
    if (option->argument && !value && ++i == count)
      return lam_error("--%s wants a value: --%s %s", name, name, option->argument);
    if (option->argument && !value) value = arguments[i];
    if (option->argument && !lam_option_valid(option, value)) return false;
    options->given[options->count++] = (struct lam_pair){option->name, value ? value : "", 0};
  }
  return true;
}

const char *lam_option_text(const struct lam_options *options, const char *name, const char *otherwise) {
  for (int i = options->count - 1; i >= 0; i--)
    if (strcmp(options->given[i].key, name) == 0) return options->given[i].value;
  return otherwise;
}

int64_t lam_option_integer(const struct lam_options *options, const char *name, int64_t otherwise) {
  const char *text = lam_option_text(options, name, NULL);
  return text ? strtoll(text, NULL, 10) : otherwise;
}

double lam_option_number(const struct lam_options *options, const char *name, double otherwise) {
  const char *text = lam_option_text(options, name, NULL);
  return text ? strtod(text, NULL) : otherwise;
}
