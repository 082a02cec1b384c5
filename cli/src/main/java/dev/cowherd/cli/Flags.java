package dev.cowherd.cli;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Takes arguments apart as GNU getopt_long does, because scripts written for qemu-img count on it: clusters of short flags,
 * values attached or apart, long names abbreviated where unambiguous, flags after operands, and {@code --}.
 *
 * <p>Each flag is declared by one string of its names, each with a trailing {@code =} where it takes a value, such
 * as {@code "-f="}, {@code "-U --force-share"} or {@code "-l= --max-length="}. {@link #next()} answers with the first name.
 */
final class Flags {
    private final List<String> args;
    private final String[] declared;
    private final List<String> operands = new ArrayList<>();
    private int at;
    /** Short flags of the current cluster not yet answered, without the dash; empty between arguments. */
    private String cluster = "";

    private @Nullable String value;

    Flags(List<String> args, String... declared) {
        this.args = args;
        this.declared = declared;
    }

    /**
     * The next flag, by the first of its declared names.
     *
     * @return the name, or null when all arguments are consumed
     * @throws CommandException if the flag is unknown or ambiguous, misses its value or has one too many
     */
    @Nullable
    String next() throws CommandException {
        value = null;
        if (!cluster.isEmpty()) {
            return nextOfCluster();
        }
        while (at < args.size()) {
            String arg = args.get(at++);
            if (arg.equals("--")) {
                operands.addAll(args.subList(at, args.size()));
                at = args.size();
            } else if (arg.startsWith("--")) {
                return longFlag(arg);
            } else if (arg.length() > 1 && arg.charAt(0) == '-') {
                cluster = arg.substring(1);
                return nextOfCluster();
            } else {
                operands.add(arg);
            }
        }
        return null;
    }

    /** The value of the flag that {@link #next()} answered last. */
    String value() {
        if (value == null) {
            throw new IllegalStateException("the flag was declared without a value");
        }
        return value;
    }

    /** What is not a flag, complete once {@link #next()} has answered null. */
    List<String> operands() {
        return operands;
    }

    /**
     * The only operand, once {@link #next()} has answered null.
     *
     * @param otherwise the message if there is none or more than one
     */
    String oneOperand(String otherwise) throws CommandException {
        if (operands.size() != 1) {
            throw new CommandException(otherwise);
        }
        return operands.get(0);
    }

    /** The refusal of a flag that qemu-img has and this program does not. */
    CommandException notSupported(String flag) {
        return new CommandException("option '" + flag + "' is not supported");
    }

    private String nextOfCluster() throws CommandException {
        String letter = cluster.substring(0, 1);
        String rest = cluster.substring(1);
        String name = "-".concat(letter);
        for (String declaration : declared) {
            if (!hasName(declaration, name)) {
                continue;
            }
            cluster = rest;
            if (takesValue(declaration)) {
                cluster = "";
                if (rest.isEmpty() && at == args.size()) {
                    throw new CommandException("option requires an argument -- '" + letter + "'");
                }
                value = rest.isEmpty() ? args.get(at++) : rest;
            }
            return firstName(declaration);
        }
        throw new CommandException("invalid option -- '" + letter + "'");
    }

    private String longFlag(String arg) throws CommandException {
        int equals = arg.indexOf('=');
        String name = equals < 0 ? arg : arg.substring(0, equals);
        String declaration = declarationOf(name);
        if (takesValue(declaration)) {
            if (equals < 0 && at == args.size()) {
                throw new CommandException("option '" + name + "' requires an argument");
            }
            value = equals < 0 ? args.get(at++) : arg.substring(equals + 1);
        } else if (equals >= 0) {
            throw new CommandException("option '" + name + "' doesn't allow an argument");
        }
        return firstName(declaration);
    }

    private String declarationOf(String name) throws CommandException {
        String abbreviated = null;
        boolean ambiguous = false;
        for (String declaration : declared) {
            if (hasName(declaration, name)) {
                return declaration;
            }
            if (hasNameStartingWith(declaration, name)) {
                ambiguous = abbreviated != null;
                abbreviated = declaration;
            }
        }
        if (abbreviated == null) {
            throw new CommandException("unrecognized option '" + name + "'");
        }
        if (ambiguous) {
            throw new CommandException("option '" + name + "' is ambiguous");
        }
        return abbreviated;
    }

    private static boolean takesValue(String declaration) {
        return declaration.endsWith("=");
    }

    private static String firstName(String declaration) {
        int space = declaration.indexOf(' ');
        String first = space < 0 ? declaration : declaration.substring(0, space);
        return takesValue(first) ? first.substring(0, first.length() - 1) : first;
    }

    private static boolean hasName(String declaration, String name) {
        int from = nameStartingWith(declaration, name);
        if (from < 0) {
            return false;
        }
        int end = from + name.length();
        return end == declaration.length() || declaration.charAt(end) == ' ' || declaration.charAt(end) == '=';
    }

    private static boolean hasNameStartingWith(String declaration, String start) {
        return nameStartingWith(declaration, start) >= 0;
    }

    /** Where a name with this start stands in the declaration: at its front or after a space. */
    private static int nameStartingWith(String declaration, String start) {
        if (declaration.startsWith(start)) {
            return 0;
        }
        int space = declaration.indexOf(" ".concat(start));
        return space < 0 ? -1 : space + 1;
    }
}
