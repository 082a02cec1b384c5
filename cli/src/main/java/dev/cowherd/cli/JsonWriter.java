package dev.cowherd.cli;

import org.jspecify.annotations.Nullable;

/**
 * Writes JSON in the layout that QEMU prints: four spaces a level, one value a line, {@code "key": value}, and everything
 * outside printable ASCII escaped. Keys come out in the order they are given.
 */
final class JsonWriter {
    private final StringBuilder text = new StringBuilder(512);
    private int depth;
    /** Whether the current object or list has no member yet. */
    private boolean first = true;
    /** Whether a key was written that waits for its value. */
    private boolean keyed;

    /** Opens an object: the document, a list's member, or the value of the last key. */
    JsonWriter beginObject() {
        return open('{');
    }

    JsonWriter endObject() {
        return close('}');
    }

    /** Opens a list: the document, a list's member, or the value of the last key. */
    JsonWriter beginList() {
        return open('[');
    }

    JsonWriter endList() {
        return close(']');
    }

    JsonWriter key(String key) {
        separate();
        appendQuoted(text, key);
        text.append(": ");
        keyed = true;
        return this;
    }

    JsonWriter value(String value) {
        separate();
        appendQuoted(text, value);
        return this;
    }

    JsonWriter value(long value) {
        separate();
        text.append(value);
        return this;
    }

    JsonWriter value(boolean value) {
        separate();
        text.append(value);
        return this;
    }

    /** A fraction, in the shortest form that reads back to the same number. */
    JsonWriter value(double value) {
        separate();
        text.append(value);
        return this;
    }

    JsonWriter member(String key, @Nullable String value) {
        return value == null ? this : key(key).value(value);
    }

    JsonWriter member(String key, long value) {
        return key(key).value(value);
    }

    JsonWriter member(String key, boolean value) {
        return key(key).value(value);
    }

    JsonWriter member(String key, double value) {
        return key(key).value(value);
    }

    /** The document, ending in a line feed. */
    @Override
    public String toString() {
        if (depth != 0) {
            throw new IllegalStateException("an object or list is still open");
        }
        return text + "\n";
    }

    /** Appends a JSON string with QEMU's escapes. */
    static void appendQuoted(StringBuilder text, String value) {
        text.append('"');
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            switch (c) {
                case '"' -> text.append("\\\"");
                case '\\' -> text.append("\\\\");
                case '\b' -> text.append("\\b");
                case '\f' -> text.append("\\f");
                case '\n' -> text.append("\\n");
                case '\r' -> text.append("\\r");
                case '\t' -> text.append("\\t");
                default -> {
                    if (c >= 0x20 && c < 0x7f) {
                        text.append(c);
                    } else {
                        appendEscaped(text, isHalfCharacter(value, i) ? '\ufffd' : c);
                    }
                }
            }
        }
        text.append('"');
    }

    /** A surrogate without its other half stands for a byte that was no text. */
    private static boolean isHalfCharacter(String value, int i) {
        char c = value.charAt(i);
        return Character.isHighSurrogate(c)
                ? i + 1 == value.length() || !Character.isLowSurrogate(value.charAt(i + 1))
                : Character.isLowSurrogate(c) && (i == 0 || !Character.isHighSurrogate(value.charAt(i - 1)));
    }

    private static void appendEscaped(StringBuilder text, char c) {
        text.append("\\u");
        for (int shift = 12; shift >= 0; shift -= 4) {
            int digit = (c >> shift) & 0xf;
            text.append((char) (digit < 10 ? '0' + digit : 'A' + digit - 10));
        }
    }

    private JsonWriter open(char bracket) {
        separate();
        text.append(bracket);
        depth++;
        first = true;
        return this;
    }

    private JsonWriter close(char bracket) {
        depth--;
        newLine();
        text.append(bracket);
        first = false;
        return this;
    }

    private void separate() {
        if (keyed) {
            keyed = false;
            return;
        }
        if (depth > 0) {
            if (!first) {
                text.append(',');
            }
            newLine();
        }
        first = false;
    }

    private void newLine() {
        text.append('\n');
        for (int i = 0; i < depth; i++) {
            text.append("    ");
        }
    }
}
