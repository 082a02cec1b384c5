package dev.cowherd.storage.ring;

import java.util.Arrays;

/** Completions that had to make room in the kernel's queue before anybody asked for them, oldest first. */
final class Stash {
    private static final int WORDS = 2;

    private long[] words = new long[0];
    private int first;
    private int end;

    int count() {
        return (end - first) / WORDS;
    }

    /** Takes all that is ready. */
    void fill(CompletionQueue from) {
        for (int ready = from.ready(); ready > 0; ready--) {
            if (end == words.length) {
                words = Arrays.copyOf(words, Math.max(64, words.length * 2));
            }
            words[end++] = from.userData();
            words[end++] = (long) from.flags() << Integer.SIZE | Integer.toUnsignedLong(from.result());
            from.advance();
        }
    }

    long userData() {
        return words[first];
    }

    int result() {
        return (int) words[first + 1];
    }

    int flags() {
        return (int) (words[first + 1] >>> Integer.SIZE);
    }

    void advance() {
        first += WORDS;
        if (first == end) {
            first = 0;
            end = 0;
        }
    }
}
