SwaggerUIBundle({ dom_id: "#swagger-ui", url: "openapi.json", deepLinking: true, filter: true, defaultModelsExpandDepth: 0, validatorUrl: null });
