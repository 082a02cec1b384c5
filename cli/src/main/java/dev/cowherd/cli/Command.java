package dev.cowherd.cli;

/** One command of the command line. Each is a class of its own, so that a run loads only what it calls. */
interface Command {
    /**
     * Does the work and prints the answer.
     *
     * @param in arguments, streams and folder; the only way a command meets the world outside its images
     * @return the exit code
     * @throws CommandException for an answer that is one line and an exit code
     * @throws Exception for anything else; {@link Main} makes one line of it and exit code 1
     */
    int run(Invocation in) throws Exception;
}
