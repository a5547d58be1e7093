/** A path parameter and a body, each cooked later; a dinner for tonight half an hour later. */
import 'reflect-metadata';
import { Body, Controller, HttpCode, Logger, Module, Param, Post } from '@nestjs/common';
import { ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { IsString } from 'class-validator';
import type { DurationText } from 'nest-cloud-tasks';
import { InjectTasks, Task, TaskController, Tasks, TasksModule } from 'nest-cloud-tasks';

class Recipe {
  @IsString({ each: true }) ingredients: string[];
}

@TaskController('kitchen', { queue: 'dinners' })
class KitchenTasks {
  private readonly logger = new Logger('Kitchen');

  @Task(':restaurant/make_dinner')
  async makeDinner(@Param('restaurant') restaurant: string, @Body() recipe: Recipe): Promise<void> {
    this.logger.log(`${restaurant} cooks ${recipe.ingredients.join(' and ')}`);
  }
}

@Controller('orders')
class OrdersController {
  constructor(@InjectTasks(KitchenTasks) private readonly kitchen: Tasks<KitchenTasks>) {}

  @Post(':restaurant')
  @HttpCode(202)
  now(@Param('restaurant') restaurant: string, @Body() recipe: Recipe) {
    return this.kitchen.makeDinner.delay(restaurant, recipe);
  }

  @Post(':restaurant/in/:countdown')
  @HttpCode(202)
  later(
    @Param('restaurant') restaurant: string,
    @Param('countdown') countdown: DurationText,
    @Body() recipe: Recipe,
  ) {
    return this.kitchen.makeDinner.options({ countdown }).delay(restaurant, recipe);
  }
}

@Module({
  imports: [
    TasksModule.forRoot({
      backend: 'embedded',
      engine: { port: Number(process.env.ENGINE_PORT ?? 8123) },
    }),
    TasksModule.forFeature([KitchenTasks]),
  ],
  controllers: [KitchenTasks, OrdersController],
})
class AppModule {}

const app = await NestFactory.create(AppModule);
app.useGlobalPipes(new ValidationPipe());
app.enableShutdownHooks();
await app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1');
console.log(`Listening on ${await app.getUrl()}`);
