package dev.cowherd.nbd;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.nio.channels.SocketChannel;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The host's number of a connected socket, which a ring needs and the JDK keeps to itself: it is there for whoever starts the JVM with
 * {@value #FLAG} and this module's name, or {@code ALL-UNNAMED} on the class path.
 */
final class SocketDescriptor {
    private static final String FLAG = "--add-exports java.base/sun.nio.ch=";

    private static final @Nullable String REFUSAL;
    private static final MethodHandle NUMBER;

    static {
        MethodHandle number =
                MethodHandles.dropArguments(MethodHandles.constant(int.class, -1), 0, SocketChannel.class);
        String refusal = null;
        try {
            Class<?> selectable = Class.forName("sun.nio.ch.SelChImpl");
            number = MethodHandles.lookup()
                    .findVirtual(selectable, "getFDVal", MethodType.methodType(int.class))
                    .asType(MethodType.methodType(int.class, SocketChannel.class));
        } catch (ReflectiveOperationException | RuntimeException e) {
            Module module = SocketDescriptor.class.getModule();
            refusal = "the JVM was started without " + FLAG + (module.isNamed() ? module.getName() : "ALL-UNNAMED");
        }
        REFUSAL = refusal;
        NUMBER = number;
    }

    private SocketDescriptor() {}

    /** Why there are none to be had, for people. */
    static Optional<String> refusal() {
        return Optional.ofNullable(REFUSAL);
    }

    /** The number; it is the channel's until that is closed. */
    static int of(SocketChannel channel) {
        try {
            return (int) NUMBER.invokeExact(channel);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException("a socket has no number", e);
        }
    }
}
