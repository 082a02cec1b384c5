package dev.cowherd.nbd;

import dev.cowherd.image.Engine;
import dev.cowherd.storage.fiber.FiberLoop;
import dev.cowherd.storage.ring.RingDescriptor;
import java.io.IOException;
import java.net.ProtocolException;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
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
    private final Ways ways;
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
            Ways ways,
            NbdOptions options,
            @Nullable String refusal,
            Function<Connection, ScheduledFuture<?>> handshakeClock,
            Consumer<Connection> whenEnded) {
        this.channel = channel;
        this.export = export;
        this.ways = ways;
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
                Outbound out = new Outbound(this::send)) {
            speak(new Inbound(channel), out);
        } catch (ProtocolException e) {
            options.log().accept(clientName + " broke the protocol and was disconnected: " + e.getMessage());
        } catch (RingFailedException e) {
            options.log().accept(clientName + " was disconnected, for its ring failed: " + e.getMessage());
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
            session = new Negotiation(in, out, export, ways, options, refusal).run();
        } finally {
            clock.cancel(false);
        }
        if (session != null) {
            try (Way way = session.way()) {
                serve(in, out, way, session);
            }
        }
    }

    private void serve(Inbound in, Outbound out, Way way, Negotiation.Session session) throws IOException {
        Transmission.Terms terms = new Transmission.Terms(
                export.sizeBytes(),
                session.writable(),
                options.discards(),
                options.durableWrites(),
                session.structured(),
                session.baseAllocation());
        DiskFailures failures = new DiskFailures(options.log());
        switch (way) {
            case Way.OneQueue(Export.Queue queue) -> {
                Replies replies = Replies.of(out, session.structured());
                try (InTurn performer = new InTurn(in, out, replies, new DiskRequests(queue, failures))) {
                    performer.run(new Transmission(in, performer, terms, () -> stopping));
                }
            }
            case Way.OnRing(FiberLoop loop, Export.Pipeline pipeline) -> {
                out.close();
                failures.sayNothingWhile(() -> loop.failure().isPresent());
                RingDescriptor socket = RingDescriptor.of(SocketDescriptor.of(channel));
                RingInput input = new RingInput(loop, channel, socket);
                in.continueFrom(input);
                SideBySide performer = new SideBySide(
                        loop,
                        pipeline,
                        in,
                        input,
                        socket,
                        failures,
                        options.maxInflight(),
                        session.structured(),
                        this::hangUp);
                performer.run(new Transmission(in, performer, terms, () -> stopping));
            }
        }
    }

    private void send(ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    /** Ends both directions; what the ring still has on the socket completes. */
    private void hangUp() {
        try {
            channel.shutdownInput();
            channel.shutdownOutput();
        } catch (IOException e) {
            // The client is gone, and with it the directions.
            stopping = true;
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
        if (ways.engine() == Engine.SYNC) {
            channel.close();
        } else if (channel.isOpen()) {
            // A number that a ring has in use is given back by its own thread.
            hangUp();
        }
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
