package dev.cowherd.cli;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import org.jspecify.annotations.Nullable;

/** The value of {@code --bind}: {@code ADDR:PORT}, {@code ADDR}, {@code :PORT} or {@code PORT}; IPv6 in brackets. */
final class ListenAddress {
    private ListenAddress() {}

    static InetSocketAddress parse(String text, int defaultPort) throws CommandException {
        String host = null;
        String port = null;
        if (text.startsWith("[")) {
            int end = text.indexOf(']');
            if (end < 0 || (end + 1 < text.length() && text.charAt(end + 1) != ':')) {
                throw bad(text);
            }
            host = text.substring(1, end);
            port = end + 1 < text.length() ? text.substring(end + 2) : null;
        } else if (isNumber(text)) {
            port = text;
        } else {
            int colon = text.indexOf(':');
            if (colon != text.lastIndexOf(':')) {
                throw new CommandException(
                        "--bind '" + text + "': write an IPv6 address in brackets, as in [::1]:10809");
            }
            host = colon < 0 ? text : text.substring(0, colon);
            port = colon < 0 ? null : text.substring(colon + 1);
        }
        return new InetSocketAddress(host(host, text), port(port, defaultPort, text));
    }

    /** The value of {@code --port}. */
    static int port(String text) throws CommandException {
        if (!isNumber(text) || text.length() > 5 || Integer.parseInt(text) > 65535) {
            throw new CommandException("--port '" + text + "' is not a port from 0 to 65535");
        }
        return Integer.parseInt(text);
    }

    private static InetAddress host(@Nullable String host, String text) throws CommandException {
        if (host == null || host.isEmpty()) {
            return InetAddress.ofLiteral("127.0.0.1");
        }
        try {
            return InetAddress.getAllByName(host)[0];
        } catch (UnknownHostException e) {
            throw new CommandException("--bind '" + text + "': the host '" + host + "' is unknown", e);
        }
    }

    private static int port(@Nullable String port, int defaultPort, String text) throws CommandException {
        if (port == null) {
            return defaultPort;
        }
        if (!isNumber(port) || port.length() > 5 || Integer.parseInt(port) > 65535) {
            throw bad(text);
        }
        return Integer.parseInt(port);
    }

    private static boolean isNumber(String text) {
        for (int i = 0; i < text.length(); i++) {
            if (text.charAt(i) < '0' || text.charAt(i) > '9') {
                return false;
            }
        }
        return !text.isEmpty();
    }

    private static CommandException bad(String text) {
        return new CommandException("--bind '" + text + "' is not ADDR:PORT with a port from 0 to 65535");
    }
}
