package dev.cowherd.cli;

import java.util.Map;

/** The values of all {@code -o} flags of one command line, as one list: {@code name=value,name=value}. */
final class OptionList {
    private String list = "";
    private boolean help;

    /** Adds what one flag says. */
    void add(String options) throws CommandException {
        if (options.isEmpty() || options.startsWith(",") || endsWithSeparator(options)) {
            throw new CommandException("Invalid option list: " + options);
        }
        help |= asksForHelp(options);
        list = list.isEmpty() ? options : list + "," + options;
    }

    /** Whether no flag was given. */
    boolean isEmpty() {
        return list.isEmpty();
    }

    /** Whether one of them is {@code help} or a question mark. */
    boolean asksForHelp() {
        return help;
    }

    /** Names and values in the order given; of a name given twice the last value. A name alone means {@code on}. */
    Map<String, String> split() throws CommandException {
        return Qcow2Target.split(list);
    }

    /** A doubled comma at the end belongs to the value. */
    private static boolean endsWithSeparator(String options) {
        int commas = 0;
        while (commas < options.length() && options.charAt(options.length() - 1 - commas) == ',') {
            commas++;
        }
        return commas % 2 == 1;
    }

    private static boolean asksForHelp(String options) {
        for (int from = 0; from <= options.length(); ) {
            int comma = options.indexOf(',', from);
            int end = comma < 0 ? options.length() : comma;
            String one = options.substring(from, end);
            if (one.equals("help") || one.equals("?")) {
                return true;
            }
            from = end + 1;
        }
        return false;
    }
}
