package dev.cowherd.proof;

import dev.cowherd.image.Engine;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** A suite whose every case is played by each engine; its constructor takes which. Cases in which nobody moves guest bytes are the same for both. */
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
@ParameterizedClass
@EnumSource(
        value = Engine.class,
        names = {"SYNC", "RING"})
@interface EachEngine {}
