/* embed OUTPUT HEADER ARRAY FILE...: writes a C file with the text of each FILE as a string in struct runtime_text
   ARRAY[], which HEADER declares. A program has all files of the runtime in one, so the include guards of C files, and
   their lines that include one another, are left out. */
#include <stdio.h>
#include <string.h>

static int begins(const char *line, const char *with) { return !strncmp(line, with, strlen(with)); }

static int ends(const char *line, const char *with) {
  size_t length = strlen(line), end = strlen(with);
  return length >= end && !strcmp(line + length - end, with);
}

/* Whether the line is part of a guard: "#ifndef LAM_MEMORY_H", "#define LAM_MEMORY_H" */
static int is_guard(const char *line) {
  return (begins(line, "#ifndef LAM_") || begins(line, "#define LAM_")) && ends(line, "_H\n") && !strchr(line + 8, ' ');
}

int main(int count, char **arguments) {
  FILE *output = count > 3 ? fopen(arguments[1], "w") : NULL;
  if (!output) return 1;
  fprintf(output, "#include <stddef.h>\n#include \"%s\"\nconst struct runtime_text %s[] = {\n", arguments[2],
          arguments[3]);
  for (int i = 4; i < count; i++) {
    FILE *input = fopen(arguments[i], "r");
    if (!input) return 1;
    const char *slash = strrchr(arguments[i], '/');
    fprintf(output, "  {\"%s\",\n   \"", slash ? slash + 1 : arguments[i]);
    char line[4096];
    int depth = 0, guarded = 0, blank = 1, is_c = ends(arguments[i], ".c") || ends(arguments[i], ".h");
    while (fgets(line, sizeof line, input)) {
      if (is_c) {
        if (begins(line, "#if")) depth++;
        guarded |= is_guard(line);
        if (is_guard(line) || begins(line, "#include \"runtime/")) continue;
        if (begins(line, "#endif") && --depth == 0 && guarded) continue;
        if (line[0] == '\n' && blank) continue;
        blank = line[0] == '\n';
      }
      for (const char *at = line; *at; at++) {
        if (*at == '\n')
          fputs("\\n\"\n   \"", output);
        else if (*at == '"' || *at == '\\')
          fprintf(output, "\\%c", *at);
        else
          putc(*at, output);
      }
    }
    fputs("\"},\n", output);
    fclose(input);
  }
  fputs("  {NULL, NULL}};\n", output);
  return fclose(output) != 0;
}
