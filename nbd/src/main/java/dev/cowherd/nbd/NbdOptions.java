package dev.cowherd.nbd;

import dev.cowherd.image.Engine;
import dev.cowherd.image.RequestQueue;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.function.Consumer;

/**
 * How a server serves. Immutable; the {@code with} methods give changed copies.
 *
 * @param address where it listens: an {@link InetSocketAddress}, whose port 0 picks a free one, or a
 *     {@link UnixDomainSocketAddress}
 * @param exportName the name of the export, at most 4096 bytes of UTF-8; empty is the protocol's default export. A client
 *     that asks for the empty name gets the export whatever its name is
 * @param description a line for people, shown to clients that list the exports; at most 4096 bytes of UTF-8
 * @param maxConnections how many clients are served at once, 1 or more; one more is told so and let go
 * @param handshakeTimeout how long a client may take to pick the export; then its place is free again
 * @param readOnly whether nobody may write, also if the disk is open for writing
 * @param discards whether trimming gives space back, and zeroing may; otherwise trimming succeeds and does nothing
 * @param durableWrites whether every write is durable when it is answered, as if each carried FUA
 * @param structuredReplies whether structured replies, and with them {@code base:allocation}, are offered
 * @param engine which engine moves the bytes. {@link Engine#AUTO} takes the one that the disk was opened with; if that is left open too, the
 *     ring past the page cache, if it can be had and more than one request may be under way, and system calls otherwise. The disk must
 *     not have been opened with {@link Engine#SYNC} if this is {@link Engine#RING}
 * @param maxInflight how many requests of one client are under way at once with the ring engine, 1 to {@link #MAX_INFLIGHT}; with the
 *     sync engine it is one
 * @param log takes one line for each thing that went wrong, from any thread
 */
public record NbdOptions(
        SocketAddress address,
        String exportName,
        String description,
        int maxConnections,
        Duration handshakeTimeout,
        boolean readOnly,
        boolean discards,
        boolean durableWrites,
        boolean structuredReplies,
        Engine engine,
        int maxInflight,
        Consumer<String> log) {

    /** The port that is NBD's own. */
    public static final int DEFAULT_PORT = 10809;

    /** The most requests of one client that can be under way at once. */
    public static final int MAX_INFLIGHT = RequestQueue.MAX_DEPTH - 1;

    /** Checks the values. */
    public NbdOptions {
        if (!(address instanceof InetSocketAddress) && !(address instanceof UnixDomainSocketAddress)) {
            throw new IllegalArgumentException("cannot listen on " + address);
        }
        requireString("export name", exportName);
        requireString("description", description);
        if (maxConnections < 1) {
            throw new IllegalArgumentException("max connections must be 1 or more, not " + maxConnections);
        }
        if (maxInflight < 1 || maxInflight > MAX_INFLIGHT) {
            throw new IllegalArgumentException("max inflight must be 1 to " + MAX_INFLIGHT + ", not " + maxInflight);
        }
        if (handshakeTimeout.isNegative() || handshakeTimeout.isZero()) {
            throw new IllegalArgumentException("the handshake timeout must be more than zero, not " + handshakeTimeout);
        }
    }

    /**
     * The options of a server that only this machine reaches: 127.0.0.1, NBD's port, the default export.
     *
     * @return the default options
     */
    public static NbdOptions defaults() {
        return new NbdOptions(
                new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), DEFAULT_PORT),
                "",
                "",
                64,
                Duration.ofSeconds(15),
                false,
                true,
                false,
                true,
                Engine.AUTO,
                64,
                line -> {});
    }

    /**
     * Changes {@link #address}.
     *
     * @param address the new value
     * @return a copy with it
     */
    public NbdOptions withAddress(SocketAddress address) {
        return new NbdOptions(
                address,
                exportName,
                description,
                maxConnections,
                handshakeTimeout,
                readOnly,
                discards,
                durableWrites,
                structuredReplies,
                engine,
                maxInflight,
                log);
    }

    /**
     * Changes {@link #exportName}.
     *
     * @param exportName the new value
     * @return a copy with it
     */
    public NbdOptions withExportName(String exportName) {
        return new NbdOptions(
                address,
                exportName,
                description,
                maxConnections,
                handshakeTimeout,
                readOnly,
                discards,
                durableWrites,
                structuredReplies,
                engine,
                maxInflight,
                log);
    }

    /**
     * Changes {@link #description}.
     *
     * @param description the new value
     * @return a copy with it
     */
    public NbdOptions withDescription(String description) {
        return new NbdOptions(
                address,
                exportName,
                description,
                maxConnections,
                handshakeTimeout,
                readOnly,
                discards,
                durableWrites,
                structuredReplies,
                engine,
                maxInflight,
                log);
    }

    /**
     * Changes {@link #maxConnections}.
     *
     * @param maxConnections the new value
     * @return a copy with it
     */
    public NbdOptions withMaxConnections(int maxConnections) {
        return new NbdOptions(
                address,
                exportName,
                description,
                maxConnections,
                handshakeTimeout,
                readOnly,
                discards,
                durableWrites,
                structuredReplies,
                engine,
                maxInflight,
                log);
    }

    /**
     * Changes {@link #handshakeTimeout}.
     *
     * @param handshakeTimeout the new value
     * @return a copy with it
     */
    public NbdOptions withHandshakeTimeout(Duration handshakeTimeout) {
        return new NbdOptions(
                address,
                exportName,
                description,
                maxConnections,
                handshakeTimeout,
                readOnly,
                discards,
                durableWrites,
                structuredReplies,
                engine,
                maxInflight,
                log);
    }

    /**
     * Changes {@link #readOnly}.
     *
     * @param readOnly the new value
     * @return a copy with it
     */
    public NbdOptions withReadOnly(boolean readOnly) {
        return new NbdOptions(
                address,
                exportName,
                description,
                maxConnections,
                handshakeTimeout,
                readOnly,
                discards,
                durableWrites,
                structuredReplies,
                engine,
                maxInflight,
                log);
    }

    /**
     * Changes {@link #discards}.
     *
     * @param discards the new value
     * @return a copy with it
     */
    public NbdOptions withDiscards(boolean discards) {
        return new NbdOptions(
                address,
                exportName,
                description,
                maxConnections,
                handshakeTimeout,
                readOnly,
                discards,
                durableWrites,
                structuredReplies,
                engine,
                maxInflight,
                log);
    }

    /**
     * Changes {@link #durableWrites}.
     *
     * @param durableWrites the new value
     * @return a copy with it
     */
    public NbdOptions withDurableWrites(boolean durableWrites) {
        return new NbdOptions(
                address,
                exportName,
                description,
                maxConnections,
                handshakeTimeout,
                readOnly,
                discards,
                durableWrites,
                structuredReplies,
                engine,
                maxInflight,
                log);
    }

    /**
     * Changes {@link #structuredReplies}.
     *
     * @param structuredReplies the new value
     * @return a copy with it
     */
    public NbdOptions withStructuredReplies(boolean structuredReplies) {
        return new NbdOptions(
                address,
                exportName,
                description,
                maxConnections,
                handshakeTimeout,
                readOnly,
                discards,
                durableWrites,
                structuredReplies,
                engine,
                maxInflight,
                log);
    }

    /**
     * Changes {@link #engine}.
     *
     * @param engine the new value
     * @return a copy with it
     */
    public NbdOptions withEngine(Engine engine) {
        return new NbdOptions(
                address,
                exportName,
                description,
                maxConnections,
                handshakeTimeout,
                readOnly,
                discards,
                durableWrites,
                structuredReplies,
                engine,
                maxInflight,
                log);
    }

    /**
     * Changes {@link #maxInflight}.
     *
     * @param maxInflight the new value
     * @return a copy with it
     */
    public NbdOptions withMaxInflight(int maxInflight) {
        return new NbdOptions(
                address,
                exportName,
                description,
                maxConnections,
                handshakeTimeout,
                readOnly,
                discards,
                durableWrites,
                structuredReplies,
                engine,
                maxInflight,
                log);
    }

    /**
     * Changes {@link #log}.
     *
     * @param log the new value
     * @return a copy with it
     */
    public NbdOptions withLog(Consumer<String> log) {
        return new NbdOptions(
                address,
                exportName,
                description,
                maxConnections,
                handshakeTimeout,
                readOnly,
                discards,
                durableWrites,
                structuredReplies,
                engine,
                maxInflight,
                log);
    }

    private static void requireString(String what, String value) {
        int bytes = value.getBytes(StandardCharsets.UTF_8).length;
        if (bytes > Protocol.MAX_STRING_BYTES) {
            throw new IllegalArgumentException(
                    "the %s has %d bytes, more than %d".formatted(what, bytes, Protocol.MAX_STRING_BYTES));
        }
    }
}
