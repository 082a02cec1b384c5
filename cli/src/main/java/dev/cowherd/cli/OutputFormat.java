package dev.cowherd.cli;

/** How a command prints its answer: {@code --output}. */
enum OutputFormat {
    HUMAN,
    JSON;

    static OutputFormat parse(String name) throws CommandException {
        return switch (name) {
            case "human" -> HUMAN;
            case "json" -> JSON;
            default -> throw new CommandException("--output expects 'human' or 'json' not '" + name + "'");
        };
    }
}
