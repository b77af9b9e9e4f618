#include "ir/display.h"

#include <stdio.h>
#include <string.h>

int character_at(const char *at, size_t left, uint32_t *code) {
  const unsigned char *text = (const unsigned char *)at;
  *code = left ? text[0] : 0;
  if (*code == 0) return 0;
  if (*code < 0x80) return 1;
  const int length = text[0] >= 0xC2 && text[0] < 0xE0   ? 2
                     : (text[0] & 0xF0) == 0xE0          ? 3
                     : text[0] >= 0xF0 && text[0] < 0xF5 ? 4
                                                         : 0;
  if (!length || (size_t)length > left) return 0;
  *code = text[0] & (0x7Fu >> length);
  for (int i = 1; i < length; i++) {
    if ((text[i] & 0xC0) != 0x80) return 0;
    *code = *code << 6 | (text[i] & 0x3F);
  }
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000}; /* an overlong encoding is no character */
  return *code < least[length] || (*code >= 0xD800 && *code < 0xE000) || *code > 0x10FFFF ? 0 : length;
}

bool character_is_control(uint32_t code) { return code < 0x20 || (code >= 0x7F && code < 0xA0); }
bool character_turns_text(uint32_t code) {
  return (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
}

/* Marks of direction, line separators, and characters that no font shows. */
static bool is_hidden(uint32_t code) {
  return character_is_control(code) || character_turns_text(code) || code == 0x61C || code == 0x200B ||
         code == 0x200E || code == 0x200F || code == 0x2028 || code == 0x2029 || (code >= 0x2060 && code <= 0x206F) ||
         code == 0xFEFF || (code >= 0xFFF0 && code <= 0xFFFB) || (code >= 0xE0000 && code <= 0xE007F);
}

struct range {
  uint32_t first, last;
};

static bool is_in(uint32_t code, const struct range *ranges, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (code >= ranges[i].first && code <= ranges[i].last) return true;
  return false;
}

/* The Unicode Character Database's combining marks (Mn, Me) of the usual scripts, and joiners. */
static const struct range joined[] = {
    {0x0300, 0x036F},  {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x05BF, 0x05BF}, {0x05C1, 0x05C2}, {0x05C4, 0x05C5},
    {0x0610, 0x061A},  {0x064B, 0x065F}, {0x0670, 0x0670}, {0x06D6, 0x06DC}, {0x06DF, 0x06E4}, {0x06E7, 0x06E8},
    {0x06EA, 0x06ED},  {0x0900, 0x0902}, {0x093A, 0x093A}, {0x093C, 0x093C}, {0x0941, 0x0948}, {0x094D, 0x094D},
    {0x0951, 0x0957},  {0x0E31, 0x0E31}, {0x0E34, 0x0E3A}, {0x0E47, 0x0E4E}, {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF},
    {0x200C, 0x200D},  {0x20D0, 0x20F0}, {0x302A, 0x302D}, {0x3099, 0x309A}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F},
    {0xE0100, 0xE01EF}};
/* Characters that take two columns: East Asian Width W and F in the same database, and emoji. */
static const struct range wide[] = {
    {0x1100, 0x115F},   {0x231A, 0x231B},   {0x2329, 0x232A},   {0x23E9, 0x23EC},   {0x25FD, 0x25FE},
    {0x2614, 0x2615},   {0x2648, 0x2653},   {0x26A1, 0x26A1},   {0x26AA, 0x26AB},   {0x26BD, 0x26BE},
    {0x2705, 0x2705},   {0x270A, 0x270B},   {0x2728, 0x2728},   {0x274C, 0x274C},   {0x2753, 0x2755},
    {0x2795, 0x2797},   {0x2B1B, 0x2B1C},   {0x2B50, 0x2B50},   {0x2E80, 0x303E},   {0x3041, 0x4DBF},
    {0x4E00, 0xA4CF},   {0xA960, 0xA97F},   {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},
    {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},   {0x1F004, 0x1F004}, {0x1F0CF, 0x1F0CF}, {0x1F18E, 0x1F19A},
    {0x1F200, 0x1F320}, {0x1F32D, 0x1F64F}, {0x1F680, 0x1F6FF}, {0x1F7E0, 0x1F7EB}, {0x1F900, 0x1F9FF},
    {0x1FA70, 0x1FAFF}, {0x20000, 0x3FFFD}};

int character_shown(const char *text, size_t left, char shown[LONGEST_SHOWN_CHARACTER], int *columns) {
  uint32_t code;
  const int length = character_at(text, left, &code);
  if (!length || code < 0x20 || code == 0x7F) {
    *columns = snprintf(shown, LONGEST_SHOWN_CHARACTER, "\\x%02x", (unsigned char)*text);
    return 1;
  }
  if (is_hidden(code)) {
    *columns = snprintf(shown, LONGEST_SHOWN_CHARACTER, code > 0xFFFF ? "\\U%08x" : "\\u%04x", (unsigned)code);
    return length;
  }
  memcpy(shown, text, (size_t)length);
  shown[length] = 0;
  *columns = is_in(code, joined, sizeof joined / sizeof *joined) ? 0
             : is_in(code, wide, sizeof wide / sizeof *wide)     ? 2
                                                                 : 1;
  return length;
}

const char *printable(struct arena *arena, const char *text) {
  const size_t length = strlen(text);
  bool plain = true;
  for (size_t i = 0; i < length && plain; i++) plain = text[i] >= ' ' && text[i] < 0x7F;
  if (plain) return text;
  ARRAY(char) copy = {0};
  for (size_t at = 0; at < length;) {
    char shown[LONGEST_SHOWN_CHARACTER];
    int columns;
    at += (size_t)character_shown(text + at, length - at, shown, &columns);
    for (const char *letter = shown; *letter; letter++) array_push(arena, &copy, *letter);
  }
  array_push(arena, &copy, 0);
  return copy.items;
}
