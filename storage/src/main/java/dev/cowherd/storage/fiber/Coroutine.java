package dev.cowherd.storage.fiber;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import org.jspecify.annotations.Nullable;

/**
 * A stack that one thread mounts and leaves: the JDK's own, below its virtual threads, without their scheduler, which would move
 * requests to other threads than their queue's.
 *
 * <p>The class is not exported by the JDK. It is there for whoever starts the JVM with {@value #FLAG} and this
 * module's name, or {@code ALL-UNNAMED} on the class path; without that, {@link #refusal()}
 * says so and the caller does without.
 */
final class Coroutine {
    private static final String FLAG = "--add-exports java.base/jdk.internal.vm=";

    private static final @Nullable String REFUSAL;
    private static final MethodHandle CREATE;
    private static final MethodHandle RUN;
    private static final MethodHandle YIELD;

    static {
        MethodHandle create = MethodHandles.zero(Object.class);
        MethodHandle run = create;
        MethodHandle yield = create;
        String refusal = null;
        try {
            MethodHandles.Lookup lookup = MethodHandles.lookup();
            Class<?> continuation = Class.forName("jdk.internal.vm.Continuation");
            Class<?> scope = Class.forName("jdk.internal.vm.ContinuationScope");
            Object queue = lookup.findConstructor(scope, MethodType.methodType(void.class, String.class))
                    .invoke("dev.cowherd.storage.fiber");
            create = lookup.findConstructor(continuation, MethodType.methodType(void.class, scope, Runnable.class))
                    .bindTo(queue)
                    .asType(MethodType.methodType(Object.class, Runnable.class));
            run = lookup.findVirtual(continuation, "run", MethodType.methodType(void.class))
                    .asType(MethodType.methodType(void.class, Object.class));
            yield = lookup.findStatic(continuation, "yield", MethodType.methodType(boolean.class, scope))
                    .bindTo(queue)
                    .asType(MethodType.methodType(void.class));
        } catch (Throwable e) {
            Module module = Coroutine.class.getModule();
            refusal = "the JVM was started without " + FLAG + (module.isNamed() ? module.getName() : "ALL-UNNAMED");
        }
        REFUSAL = refusal;
        CREATE = create;
        RUN = run;
        YIELD = yield;
    }

    private final Object continuation;

    Coroutine(Runnable code) {
        if (REFUSAL != null) {
            throw new IllegalStateException(REFUSAL);
        }
        try {
            continuation = (Object) CREATE.invokeExact(code);
        } catch (Throwable e) {
            throw new IllegalStateException("no coroutine", e);
        }
    }

    /** Why there are none here, or null. */
    static @Nullable String refusal() {
        return REFUSAL;
    }

    /** Goes on with its code on the calling thread, until that leaves or ends. */
    void mount() {
        try {
            RUN.invokeExact(continuation);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException("a coroutine failed", e);
        }
    }

    /** Called by its code: goes back to who mounted it. */
    static void leave() {
        try {
            YIELD.invokeExact();
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException("a coroutine could not be left", e);
        }
    }
}
