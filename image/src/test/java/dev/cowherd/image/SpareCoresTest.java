package dev.cowherd.image;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Work for spare cores never piles up, and never takes a core that a queue is busy on. */
@Timeout(value = 60, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class SpareCoresTest {
    private final CountDownLatch gate = new CountDownLatch(1);
    private final Semaphore ended = new Semaphore(0);
    private final AtomicInteger running = new AtomicInteger();
    private final AtomicInteger most = new AtomicInteger();

    private void work() {
        most.accumulateAndGet(running.incrementAndGet(), Math::max);
        try {
            gate.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
        running.decrementAndGet();
        ended.release();
    }

    @Test
    void eachThreadHasOnePieceInHandAndOneToGoOnWith() throws Exception {
        SpareCores cores = new SpareCores(2);
        for (int i = 0; i < 4; i++) {
            assertThat(cores.take(this::work)).isTrue();
        }
        assertThat(cores.take(this::work)).isFalse();
        gate.countDown();
        ended.acquire(4);
        assertThat(most.get()).isLessThanOrEqualTo(2);
        while (!cores.take(this::work)) {
            // What ended last gives its room back after it said so.
            Thread.onSpinWait();
        }
        ended.acquire();
    }

    @Test
    void aCoreThatAQueueIsBusyOnIsNotSpare() throws Exception {
        SpareCores cores = new SpareCores(2);
        cores.doing();
        assertThat(cores.take(this::work)).isTrue();
        assertThat(cores.take(this::work)).isTrue();
        assertThat(cores.take(this::work)).isFalse();
        cores.done();
        assertThat(cores.take(this::work)).isTrue();
        gate.countDown();
        ended.acquire(3);
    }

    @Test
    void oneCoreHasNoneToSpare() {
        assertThat(new SpareCores(0).take(this::work)).isFalse();
        assertThat(running).hasValue(0);
    }
}
