package dev.cowherd.testkit;

import java.util.List;

/**
 * A program that has ended: what was run, how it ended, what it said.
 *
 * @param command the program and its arguments
 * @param exit its exit code
 * @param out its standard output, decoded as UTF-8
 * @param err its standard error, decoded as UTF-8
 */
public record Ran(List<String> command, int exit, String out, String err) {
    /** Copies the command. */
    public Ran {
        command = List.copyOf(command);
    }

    /**
     * Insists that the program said 0.
     *
     * @return this
     * @throws AssertionError with the command and all it said, if its exit code is not 0
     */
    public Ran orFail() {
        if (exit != 0) {
            throw new AssertionError("exit " + exit + " of " + String.join(" ", command) + "\n" + out + err);
        }
        return this;
    }
}
