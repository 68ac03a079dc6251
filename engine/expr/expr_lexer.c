/* Cuts the next token of an expression when the parser asks. Called by the parser alone. Borrows the text,
 * never reports: a wrong token is the parser's to explain. */
#include "engine/expr/expr_lexer.h"

#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool begins_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static char peek(const struct expr_lexer *lexer, uint32_t ahead)
{
    size_t at = (size_t)lexer->next + ahead;
    return at < lexer->text.size ? lexer->text.data[at] : '\0';
}

static void skip_space(struct expr_lexer *lexer)
{
    while (lexer->next < lexer->text.size && memchr(" \t\r\n", peek(lexer, 0), 4))
        lexer->next++;
}

static void skip_digits(struct expr_lexer *lexer)
{
    while (is_digit(peek(lexer, 0)))
        lexer->next++;
}

static void skip_word(struct expr_lexer *lexer)
{
    while (begins_word(peek(lexer, 0)) || is_digit(peek(lexer, 0)))
        lexer->next++;
}

/* The number of RFC 8259 without its sign; 007, 1. and 1e are wrong. */
static enum expr_token_kind cut_number(struct expr_lexer *lexer)
{
    bool leading_zero = peek(lexer, 0) == '0' && is_digit(peek(lexer, 1));
    skip_digits(lexer);
    if (peek(lexer, 0) == '.') {
        lexer->next++;
        if (!is_digit(peek(lexer, 0)))
            return EXPR_TOKEN_WRONG;
        skip_digits(lexer);
    }
    if (peek(lexer, 0) == 'e' || peek(lexer, 0) == 'E') {
        lexer->next++;
        if (peek(lexer, 0) == '+' || peek(lexer, 0) == '-')
            lexer->next++;
        if (!is_digit(peek(lexer, 0)))
            return EXPR_TOKEN_WRONG;
        skip_digits(lexer);
    }
    return leading_zero ? EXPR_TOKEN_WRONG : EXPR_TOKEN_NUMBER;
}

/* Longest first. Signs of jq that are not in this language are cut too, so that the parser can name them. */
static const char *const signs[] = {"?//", "//=", "..", "&&", "||", "|=", "+=", "-=", "*=", "/=",
                                    "%=",  "==",  "!=", "<=", ">=", "//", ".",  "[",  "]",  "(",
                                    ")",   "{",   "}",  ",",  ":",  ";",  "|",  "+",  "-",  "*",
                                    "/",   "%",   "<",  ">",  "=",  "?",  "@"};

static enum expr_token_kind cut_sign(struct expr_lexer *lexer)
{
    struct str rest = str_slice(lexer->text, lexer->next, lexer->text.size);
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        struct str sign = str_from(signs[i]);
        if (str_starts(rest, sign)) {
            lexer->next += (uint32_t)sign.size;
            return EXPR_TOKEN_SIGN;
        }
    }
    lexer->next++;
    while ((peek(lexer, 0) & 0xc0) == 0x80) /* a whole UTF-8 character, so that the message shows it */
        lexer->next++;
    return EXPR_TOKEN_WRONG;
}

static enum expr_token_kind cut_token(struct expr_lexer *lexer)
{
    char c = peek(lexer, 0);
    if (is_digit(c))
        return cut_number(lexer);
    if (begins_word(c) || (c == '@' && begins_word(peek(lexer, 1)))) {
        lexer->next++;
        skip_word(lexer);
        return EXPR_TOKEN_WORD;
    }
    if ((c == '.' || c == '$') && begins_word(peek(lexer, 1))) {
        lexer->next++;
        skip_word(lexer);
        return c == '.' ? EXPR_TOKEN_FIELD : EXPR_TOKEN_VARIABLE;
    }
    if (c == '.' && is_digit(peek(lexer, 1))) {
        lexer->next++;
        skip_digits(lexer);
        return EXPR_TOKEN_WRONG;
    }
    if (c == '"') {
        lexer->next++;
        return EXPR_TOKEN_QUOTE;
    }
    return cut_sign(lexer);
}

struct expr_token expr_lexer_next(struct expr_lexer *lexer)
{
    skip_space(lexer);
    struct expr_token token = {.kind = EXPR_TOKEN_END, .begin = lexer->next, .end = lexer->next};
    if (lexer->next >= lexer->text.size)
        return token;
    token.kind = cut_token(lexer);
    token.end = lexer->next;
    bool prefixed = token.kind == EXPR_TOKEN_FIELD || token.kind == EXPR_TOKEN_VARIABLE;
    token.text = str_slice(lexer->text, token.begin + (prefixed ? 1 : 0), token.end);
    return token;
}

static void put_code_point(struct buf *out, uint32_t c)
{
    if (c < 0x80) {
        buf_char(out, (char)c);
        return;
    }
    if (c < 0x800) {
        buf_char(out, (char)(0xc0 | (c >> 6)));
    } else {
        if (c < 0x10000) {
            buf_char(out, (char)(0xe0 | (c >> 12)));
        } else {
            buf_char(out, (char)(0xf0 | (c >> 18)));
            buf_char(out, (char)(0x80 | ((c >> 12) & 0x3f)));
        }
        buf_char(out, (char)(0x80 | ((c >> 6) & 0x3f)));
    }
    buf_char(out, (char)(0x80 | (c & 0x3f)));
}

static bool read_hex4(struct expr_lexer *lexer, uint32_t *unit)
{
    *unit = 0;
    for (uint32_t i = 0; i < 4; i++) {
        char c = peek(lexer, i);
        uint32_t digit = 0;
        if (is_digit(c))
            digit = (uint32_t)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            digit = (uint32_t)((c | 0x20) - 'a') + 10;
        else
            return false;
        *unit = *unit * 16 + digit;
    }
    lexer->next += 4;
    return true;
}

/* After `\u`. NULL when it was right, else what is wrong. */
static const char *read_unicode(struct expr_lexer *lexer, struct buf *out)
{
    uint32_t high = 0;
    uint32_t low = 0;
    if (!read_hex4(lexer, &high))
        return "\\u needs four hexadecimal digits";
    if (high == 0)
        return "U+0000 is not allowed in a string";
    if (high >= 0xd800 && high <= 0xdfff) {
        if (high >= 0xdc00 || peek(lexer, 0) != '\\' || peek(lexer, 1) != 'u')
            return "a surrogate without its other half";
        lexer->next += 2;
        if (!read_hex4(lexer, &low) || low < 0xdc00 || low > 0xdfff)
            return "a surrogate without its other half";
        high = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    }
    put_code_point(out, high);
    return NULL;
}

/* At a backslash that does not begin `\(`. */
static const char *read_escape(struct expr_lexer *lexer, struct buf *out)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    char c = peek(lexer, 1);
    if (c == 'u') {
        lexer->next += 2;
        return read_unicode(lexer, out);
    }
    const char *letter = c == '\0' ? NULL : strchr(letters, c);
    if (!letter)
        return "an unknown escape; there are \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX and \\( … )";
    buf_char(out, meanings[letter - letters]);
    lexer->next += 2;
    return NULL;
}

enum expr_string_part expr_lexer_string(struct expr_lexer *lexer, struct buf *out, const char **problem)
{
    uint32_t begin = lexer->next;
    while (lexer->next < lexer->text.size) {
        char c = peek(lexer, 0);
        bool closes = c == '"';
        bool opens = c == '\\' && peek(lexer, 1) == '(';
        if (closes || opens) {
            if (lexer->next > begin)
                return EXPR_STRING_TEXT;
            lexer->next += closes ? 1 : 2;
            return closes ? EXPR_STRING_CLOSE : EXPR_STRING_OPEN;
        }
        *problem = NULL;
        if (c == '\\') {
            *problem = read_escape(lexer, out);
        } else if (c == '\0') {
            *problem = "U+0000 is not allowed in a string";
        } else {
            buf_char(out, c);
            lexer->next++;
        }
        if (*problem)
            return EXPR_STRING_WRONG;
    }
    *problem = "the string is not closed: a \" is missing";
    return EXPR_STRING_WRONG;
}

struct diag_place expr_lexer_place(struct str text, struct diag_place origin, uint32_t begin, uint32_t end)
{
    struct diag_place place = origin;
    place.size = end > begin ? end - begin : 1;
    for (uint32_t i = 0; i < begin && i < text.size; i++) {
        place.column++;
        if (text.data[i] == '\n') {
            place.line++;
            place.column = 1;
        }
    }
    return place;
}
