package dev.cowherd.cli;

import dev.cowherd.storage.CacheMode;

/** The value of {@code -t} or {@code -T}: a cache mode by qemu-img's name. */
final class CacheArgument {
    private CacheArgument() {}

    /**
     * Reads a mode.
     *
     * @param complaint the line for a name that is none, as qemu-img words it for this flag
     */
    static CacheMode parse(String name, String complaint) throws CommandException {
        return parse(name, complaint, 1);
    }

    static CacheMode parse(String name, String complaint, int exitCode) throws CommandException {
        try {
            return CacheMode.parse(name);
        } catch (IllegalArgumentException e) {
            throw new CommandException(exitCode, complaint, e);
        }
    }
}
