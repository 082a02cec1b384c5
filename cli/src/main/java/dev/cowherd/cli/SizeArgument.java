package dev.cowherd.cli;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import org.jspecify.annotations.Nullable;

/** Byte counts as people type them: decimal with an optional binary suffix and fraction, or hexadecimal without. */
final class SizeArgument {
    private static final String SUFFIXES = "bkmgtpe";

    /** What is no size at all. */
    static final long NO_SIZE = -1;

    /** A size below zero or beyond what a file can have. */
    static final long OUT_OF_RANGE = -2;

    private SizeArgument() {}

    /**
     * Parses a size.
     *
     * @param what the words for messages, such as {@code image size}
     * @param text what the user typed
     * @return bytes, 0 or more
     * @throws CommandException if it is no size or does not fit
     */
    static long parse(String what, String text) throws CommandException {
        long bytes = tryParse(text);
        if (bytes == NO_SIZE) {
            throw new CommandException("Invalid " + what + " specified: '" + text + "'.");
        }
        if (bytes == OUT_OF_RANGE) {
            throw new CommandException("Invalid " + what + " specified. Must be between 0 and " + Long.MAX_VALUE + ".");
        }
        return bytes;
    }

    /** A size in bytes, or {@link #NO_SIZE} or {@link #OUT_OF_RANGE}, for commands with words of their own. */
    static long tryParse(String text) {
        BigDecimal bytes = text.startsWith("0x") || text.startsWith("0X") ? hexadecimal(text) : decimal(text);
        if (bytes == null) {
            return NO_SIZE;
        }
        if (bytes.signum() < 0 || bytes.compareTo(BigDecimal.valueOf(Long.MAX_VALUE)) > 0) {
            return OUT_OF_RANGE;
        }
        return bytes.longValue();
    }

    private static @Nullable BigDecimal hexadecimal(String text) {
        String digits = text.substring(2);
        for (int i = 0; i < digits.length(); i++) {
            if (Character.digit(digits.charAt(i), 16) < 0) {
                return null;
            }
        }
        return digits.isEmpty() ? null : new BigDecimal(new BigInteger(digits, 16));
    }

    /** A fraction of a byte is a typing error without a suffix and rounded with one. */
    private static @Nullable BigDecimal decimal(String text) {
        int end = text.length();
        int exponent = 0;
        if (end > 0) {
            int suffix = SUFFIXES.indexOf(Character.toLowerCase(text.charAt(end - 1)));
            if (suffix >= 0) {
                exponent = suffix;
                end--;
            }
        }
        boolean negative = text.startsWith("-");
        int start = negative || text.startsWith("+") ? 1 : 0;
        boolean digit = false;
        int points = 0;
        for (int i = start; i < end; i++) {
            char c = text.charAt(i);
            if (c == '.') {
                points++;
            } else if (c >= '0' && c <= '9') {
                digit = true;
            } else {
                return null;
            }
        }
        if (!digit || points > 1 || (points > 0 && exponent == 0) || end - start > 64) {
            return null;
        }
        BigDecimal value = new BigDecimal(text.substring(start, end))
                .multiply(BigDecimal.valueOf(1L << (10 * exponent)))
                .setScale(0, RoundingMode.HALF_EVEN);
        return negative ? value.negate().subtract(BigDecimal.ONE) : value;
    }
}
