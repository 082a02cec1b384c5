package dev.cowherd.storage.fiber;

import dev.cowherd.storage.Errno;
import dev.cowherd.storage.linux.RingCalls;
import dev.cowherd.storage.linux.RingSystemCalls;
import dev.cowherd.storage.ring.RingOptions;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.concurrent.atomic.AtomicInteger;

/** The kernel under one io_uring whose k-th io_uring_enter(2) fails, and some after it. */
public final class FailingRing {
    private final int first;
    private final int count;
    private final Errno errno;
    private final AtomicInteger enters = new AtomicInteger();
    private volatile boolean struck;

    public FailingRing(int first, int count, Errno errno) {
        this.first = first;
        this.count = count;
        this.errno = errno;
    }

    /** A loop on such a ring. */
    public FiberLoop open(int entries) throws IOException {
        RingCalls calls = (RingCalls)
                Proxy.newProxyInstance(RingCalls.class.getClassLoader(), new Class<?>[] {RingCalls.class}, this::call);
        return FiberLoop.open(RingOptions.ofEntries(entries), calls);
    }

    /** Whether there was a k-th call. */
    public boolean hasStruck() {
        return struck;
    }

    @Override
    public String toString() {
        return "a ring whose calls " + first + " to " + (first + count - 1) + " fail with " + errno;
    }

    private Object call(Object proxy, Method method, Object[] arguments) throws Throwable {
        if (method.getName().equals("enter")) {
            int k = enters.incrementAndGet();
            if (k >= first && k < first + count) {
                struck = true;
                return (long) -errno.number();
            }
        }
        try {
            return method.invoke(RingSystemCalls.HOST, arguments);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }
}
