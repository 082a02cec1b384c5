package dev.cowherd.nbd;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.net.ProtocolException;
import java.net.SocketAddress;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.concurrent.ScheduledFuture;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * One client from its first byte to its last, on one thread of its own: handshake, then requests. Whatever it does, it can
 * end only itself.
 */
final class Connection implements Runnable {
    private final SocketChannel channel;
    private final Export export;
    private final NbdOptions options;
    private final @Nullable String refusal;
    /** Starts the clock for the handshake; cancelled when the export is picked. */
    private final Function<Connection, ScheduledFuture<?>> handshakeClock;

    private final Consumer<Connection> whenEnded;
    private final String clientName;
    private final Thread thread;
    private volatile boolean stopping;

    Connection(
            SocketChannel channel,
            Export export,
            NbdOptions options,
            @Nullable String refusal,
            Function<Connection, ScheduledFuture<?>> handshakeClock,
            Consumer<Connection> whenEnded) {
        this.channel = channel;
        this.export = export;
        this.options = options;
        this.refusal = refusal;
        this.handshakeClock = handshakeClock;
        this.whenEnded = whenEnded;
        this.clientName = nameOf(channel);
        this.thread = Thread.ofPlatform().name("nbd-" + clientName).unstarted(this);
    }

    /** Starts the connection's thread. */
    void start() {
        thread.start();
    }

    boolean isRefused() {
        return refusal != null;
    }

    /** For messages. */
    String clientName() {
        return clientName;
    }

    @Override
    public void run() {
        try (channel;
                Arena arena = Arena.ofConfined();
                Outbound out = new Outbound(channel)) {
            speak(new Inbound(channel, arena), out);
        } catch (ProtocolException e) {
            options.log().accept(clientName + " broke the protocol and was disconnected: " + e.getMessage());
        } catch (IOException e) {
            // The client is gone, or the server closed the channel: nobody is left to tell, and nothing is wrong.
            stopping = true;
        } catch (RuntimeException e) {
            options.log().accept(clientName + " was disconnected by a fault of this server: " + e);
        } finally {
            whenEnded.accept(this);
        }
    }

    private void speak(Inbound in, Outbound out) throws IOException {
        Negotiation.Session session;
        ScheduledFuture<?> clock = handshakeClock.apply(this);
        try {
            session = new Negotiation(in, out, export, options, refusal).run();
        } finally {
            clock.cancel(false);
        }
        if (session != null) {
            try (Export.Queue _ = session.queue()) {
                Writes.Terms terms = new Writes.Terms(
                        export.sizeBytes(), session.writable(), options.discards(), options.durableWrites());
                new Transmission(in, out, session, terms, options.log(), () -> stopping).run();
            }
        }
    }

    /** No further request is taken; the one being served ends, and its reply is sent if the client takes it. */
    void stop() throws IOException {
        stopping = true;
        if (channel.isOpen()) {
            channel.shutdownInput();
        }
    }

    /** Ends the connection wherever it is, a blocked read or write of the socket included. */
    void cut() throws IOException {
        stopping = true;
        channel.close();
    }

    /** Waits for the connection's thread to end; false if the time is over first. */
    boolean join(long millis) throws InterruptedException {
        return thread.join(Duration.ofMillis(millis));
    }

    private static String nameOf(SocketChannel channel) {
        try {
            SocketAddress address = channel.getRemoteAddress();
            String name = address == null ? "" : address.toString().replaceFirst("^/", "");
            return name.isEmpty() ? "a local client" : "client " + name;
        } catch (IOException e) {
            return "a client that left at once";
        }
    }
}
